"""PyTorch, eager, with a fused optimizer."""

from __future__ import annotations

from typing import Any

import torch
from digits import BATCH_SIZE, EPOCHS, LEARNING_RATE, SIZES, load, report

X, y, X_test, y_test = load()
X, y = torch.from_numpy(X), torch.from_numpy(y)
torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Linear(*SIZES[:2]), torch.nn.ReLU(), torch.nn.Linear(*SIZES[1:])
)
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, fused=True)
for _ in range(EPOCHS):
    order: Any = torch.randperm(len(X))
    for rows in order.split(BATCH_SIZE):
        batch, targets = X.index_select(0, rows), y.index_select(0, rows)
        loss: Any = torch.nn.functional.cross_entropy(model(batch), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
with torch.inference_mode():
    report(model(torch.from_numpy(X_test)).argmax(1).numpy(), y_test)
