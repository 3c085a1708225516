"""What an operator is, in the same words wherever it stands: stated by a paper's table, or seen when a module runs. No torch."""

from dataclasses import dataclass

Shape = tuple[int, ...]

# What is compared where two operators are held against each other, beside what they are, what feeds them and what comes out.
FACTS = ("kernel", "stride", "padding", "dilation", "groups", "bias", "factor", "ceil", "zeros", "border")


@dataclass(frozen=True)
class Operator:
    """One operator in order of execution.

    index       its position
    op          conv, linear, batch_norm, local_response_norm, relu, sigmoid, max_pool, avg_pool, adaptive_avg_pool,
                global_avg_pool, flatten, slice, pad, scale, one_minus, multiply, concat, add, dropout, or other
    path        where it stands: "incep1.branch5x5_2"; in a table, of an operator without a name its block; "" for the outermost
    inputs      positions of the operators whose results it uses; -1 is the network's input
    shape       of the output, without the batch: (channels, height, width) or (features,)
    kernel, stride, padding   pixels; None where they mean nothing, a pair where height and width differ. Of a local response norm,
                `kernel` counts channels
    dilation, groups   of a convolution
    bias        whether a convolution or linear layer has one
    factor      of a scaling by a number; of what an addition adds, where that is not 1; the share that a dropout removes
    ceil        of a pool: whether its windows may reach over the edge
    zeros       of an average pool: whether the zeros around the image count
    border      of a convolution: what it has around the image, zeros or, as torch calls it, reflect, replicate, circular
    first       of a slice: the first channel, row and column that it keeps; None where a table leaves it open
    channels    of a pad: how many channels of zeros stand in front and behind; None where a table leaves it open
    constants   of a batch norm (ε,); of a local response norm (α, β, k); empty in a table
    name        the function of torch; "" in a table
    """

    index: int
    op: str
    path: str
    inputs: tuple[int, ...]
    shape: Shape
    kernel: int | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple[int, ...] | str | None = None
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = False
    factor: float | None = None
    ceil: bool = False
    zeros: bool = True
    border: str = "zeros"
    first: tuple[int, ...] | None = None
    channels: tuple[int, int] | None = None
    constants: tuple[float, ...] = ()
    name: str = ""
