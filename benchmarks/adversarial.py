"""DANN, CDAN and MCC on embeddings, as their papers and the tutorials have them: references for `adapt.py`.

A network of one hidden layer learns the source's labels, and beside it: DANN (Ganin et al. 2016) that a discriminator
behind a gradient reversal cannot tell the domains apart by the hidden layer; CDAN (Long et al. 2018) the same by the
product of hidden layer and answer; MCC (Jin et al. 2020) that the target's answers do not confuse classes. The strength
rises by 2 / (1 + exp(-10 p)) - 1 as training goes on. Nothing is tuned, and the last step is taken: no target label
stops it early. Needs torch; nothing of the product uses this.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WAYS = ("network", "MCC", "DANN", "CDAN")
HIDDEN = 256
STEPS = 300
BATCH = 64
_MCC_TEMPERATURE = 2.5


class _Reversal(torch.autograd.Function):
    """The identity, whose gradient is turned round and multiplied by the strength."""

    @staticmethod
    def forward(context: Any, rows: torch.Tensor, strength: float) -> torch.Tensor:
        context.strength = strength
        return rows.view_as(rows)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -context.strength * gradient, None


def adversarial(
    way: str, source: np.ndarray, labels: np.ndarray, target: np.ndarray, classes: int, *, seed: int = 0
) -> np.ndarray:
    """(m, K): the target's answers. source: (n, r) with labels (n,). target: (m, r)."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    scale = float(np.sqrt((source**2).mean()))
    S, T = (torch.from_numpy(np.ascontiguousarray(rows / scale, np.float32)) for rows in (source, target))
    y = torch.from_numpy(labels.astype(np.int64))
    body = nn.Sequential(nn.Linear(S.shape[1], HIDDEN), nn.ReLU(), nn.Dropout(0.5))
    head = nn.Linear(HIDDEN, classes)
    width = HIDDEN * classes if way == "CDAN" else HIDDEN
    critic = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    parts = nn.ModuleList([body, head, critic])
    optimiser = torch.optim.AdamW(parts.parameters(), lr=1e-3, weight_decay=1e-3)
    for step in range(STEPS):
        ours = torch.randint(len(S), (BATCH,), generator=random)
        theirs = torch.randint(len(T), (BATCH,), generator=random)
        hidden = body(torch.cat([S[ours], T[theirs]]))
        scores = head(hidden)
        loss = functional.cross_entropy(scores[:BATCH], y[ours])
        strength = 2 / (1 + math.exp(-10 * step / STEPS)) - 1
        if way == "MCC":
            loss = loss + _confusion(scores[BATCH:])
        elif way != "network":
            loss = loss + _told_apart(way, critic, hidden, scores, strength)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    body.eval()
    with torch.no_grad():
        return functional.softmax(head(body(T)), dim=1).double().numpy()


def _told_apart(way: str, critic: nn.Module, hidden: torch.Tensor, scores: torch.Tensor, strength: float) -> Any:
    rows = hidden
    if way == "CDAN":
        answers = functional.softmax(scores, dim=1).detach()
        rows = (answers[:, :, None] * hidden[:, None, :]).flatten(1)
    verdict = critic(_Reversal.apply(rows, strength)).squeeze(1)
    domain = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])
    return functional.binary_cross_entropy_with_logits(verdict, domain)


def _confusion(scores: torch.Tensor) -> torch.Tensor:
    """Minimum class confusion, equations 2 to 6: the off-diagonal share of the answers' weighted class products."""
    p = functional.softmax(scores / _MCC_TEMPERATURE, dim=1)
    entropy = -(p * torch.log(p + 1e-5)).sum(dim=1)
    weights = 1 + torch.exp(-entropy)
    weights = len(p) * weights / weights.sum()
    products = (p * weights.detach()[:, None]).T @ p
    products = products / products.sum(dim=1, keepdim=True)
    return (products.sum() - products.diagonal().sum()) / p.shape[1]
