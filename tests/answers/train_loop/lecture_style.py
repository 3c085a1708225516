# 按第10讲的写法；log_softmax 再接 cross_entropy 没有坏处（做两次等于做一次）
import torch
import torch.nn.functional as F


def _device(model):
    p = next(model.parameters(), None)
    return torch.device("cpu") if p is None else p.device


def train_one_epoch(model, loader, optimizer):
    device = _device(model)
    model.train(True)
    running_loss = 0.0
    for batch_idx, data in enumerate(loader, 0):
        inputs, target = data
        inputs, target = inputs.to(device), target.to(device)
        outputs = F.log_softmax(model(inputs), dim=1)
        loss = F.cross_entropy(outputs, target)
        # 清零放在 backward 之前就行
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()

        running_loss += loss.item()
        if batch_idx % 300 == 299:
            print('[%5d] loss: %.3f' % (batch_idx + 1, running_loss / 300))
            running_loss = 0.0


def accuracy(model, loader):
    device = _device(model)
    model.train(False)
    correct = 0
    total = 0
    for inputs, target in loader:
        inputs, target = inputs.to(device), target.to(device)
        _, predicted = torch.max(model(inputs).detach(), dim=1)
        total += target.size(0)
        correct += (predicted == target).sum().item()
    return correct / total
