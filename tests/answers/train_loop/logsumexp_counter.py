from collections import Counter

import torch


def cross_entropy(logits, target):
    # -log softmax(z)[t] = logsumexp(z) - z[t]
    picked = logits.gather(1, target.view(-1, 1)).squeeze(1)
    return (torch.logsumexp(logits, dim=1) - picked).mean()


def train_one_epoch(model, loader, optimizer):
    model.train()
    losses = []
    for inputs, target in loader:
        model.zero_grad(set_to_none=True)
        loss = cross_entropy(model(inputs), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / max(len(losses), 1)


@torch.inference_mode()
def accuracy(model, loader):
    model.eval()
    count = Counter()
    for inputs, target in loader:
        guess = model(inputs).argmax(1)
        count.update(g == t for g, t in zip(guess.tolist(), target.tolist()))
    return count[True] / count.total()
