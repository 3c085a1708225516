# TODO: say this once
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InceptionA(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.branch_pool_convolution_1 = nn.Conv2d(
            in_channels=in_channels,
            out_channels=24,
            kernel_size=(1, 1),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_1x1_convolution_1 = nn.Conv2d(
            in_channels=in_channels,
            out_channels=16,
            kernel_size=(1, 1),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_5x5_convolution_1 = nn.Conv2d(
            in_channels=in_channels,
            out_channels=16,
            kernel_size=(1, 1),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_5x5_convolution_2 = nn.Conv2d(
            in_channels=16,
            out_channels=24,
            kernel_size=(5, 5),
            stride=(1, 1),
            padding=(2, 2),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_3x3_convolution_1 = nn.Conv2d(
            in_channels=in_channels,
            out_channels=16,
            kernel_size=(1, 1),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_3x3_convolution_2 = nn.Conv2d(
            in_channels=16,
            out_channels=24,
            kernel_size=(3, 3),
            stride=(1, 1),
            padding=(1, 1),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )
        self.branch_3x3_convolution_3 = nn.Conv2d(
            in_channels=24,
            out_channels=24,
            kernel_size=(3, 3),
            stride=(1, 1),
            padding=(1, 1),
            dilation=(1, 1),
            groups=1,
            bias=True,
        )

    def forward(self, x: Tensor) -> Tensor:
        branch_pool_input = x
        branch_pool_step_1 = F.avg_pool2d(branch_pool_input, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        branch_pool_step_2 = self.branch_pool_convolution_1(branch_pool_step_1)
        branch_pool_output = branch_pool_step_2

        branch_1x1_input = x
        branch_1x1_step_1 = self.branch_1x1_convolution_1(branch_1x1_input)
        branch_1x1_output = branch_1x1_step_1

        branch_5x5_input = x
        branch_5x5_step_1 = self.branch_5x5_convolution_1(branch_5x5_input)
        branch_5x5_step_2 = self.branch_5x5_convolution_2(branch_5x5_step_1)
        branch_5x5_output = branch_5x5_step_2

        branch_3x3_input = x
        branch_3x3_step_1 = self.branch_3x3_convolution_1(branch_3x3_input)
        branch_3x3_step_2 = self.branch_3x3_convolution_2(branch_3x3_step_1)
        branch_3x3_step_3 = self.branch_3x3_convolution_3(branch_3x3_step_2)
        branch_3x3_output = branch_3x3_step_3

        outputs = torch.cat([branch_pool_output, branch_1x1_output], dim=1)
        outputs = torch.cat([outputs, branch_5x5_output], dim=1)
        outputs = torch.cat([outputs, branch_3x3_output], dim=1)
        return outputs
