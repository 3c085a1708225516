"""Slips of a first week of Python and torch, each made in a solution: what the checker says of it, and at which line."""

from dataclasses import dataclass

from etude.practice.exercises import exercise

START = "    def __init__(self, channels: int) -> None:\n        super().__init__()"
CONV1 = "self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)"


@dataclass(frozen=True)
class Slip:
    """A solution with `old` replaced by `new`, once.

    key    of the message
    place  what stands in the line that is named; "" where none is
    says   words of the message in both languages
    setup  what more stands in `__init__`
    """

    key: str
    old: str
    new: str
    place: str = ""
    says: tuple[str, ...] = ()
    name: str = "residual_block"
    setup: str = ""

    @property
    def source(self) -> str:
        solution = exercise(self.name).solution.read_text(encoding="utf-8")
        assert self.old in solution, self
        begun = "super().__init__()"
        return solution.replace(self.old, self.new, 1).replace(begun, f"{begun}\n        {self.setup}" if self.setup else begun)

    @property
    def line(self) -> int | None:
        lines = self.source.splitlines()
        return next(number for number, line in enumerate(lines, start=1) if self.place in line) if self.place else None


SLIPS = (
    # ── What Python cannot read ──────────────────────────────────────────────────────────────────────────────────────
    Slip("full_width", "nn.Conv2d(channels, ", "nn.Conv2d(channels，", "，", ("`，`", "`,`")),
    Slip("full_width", "nn.Conv2d(channels, ", "nn.Conv2d（channels, ", "（", ("`（`", "`(`")),
    Slip("full_width", "def forward(self, x: Tensor) -> Tensor:", "def forward(self, x: Tensor) -> Tensor：", "：", ("`：`", "`:`")),
    Slip("full_width", "F.relu(y)", "getattr(F, “relu”)(y)", "“", ("`“`", '`"`')),
    Slip("strange_space", "        y = F.relu(y)", "　　　　y = F.relu(y)", "　", ("U+3000",)),
    Slip("tabs", "        y = F.relu(y)", "\ty = F.relu(y)", "\t"),
    Slip("indent_missing", START, START.replace("        super", "    super"), "    super()"),
    Slip("indent_too_far", "        y = F.relu(y)", "            y = F.relu(y)", "            y = F.relu(y)"),
    Slip("indent_uneven", "        y = F.relu(y)", "      y = F.relu(y)", "      y = F.relu(y)"),
    Slip("colon_missing", "class ResidualBlock(nn.Module):", "class ResidualBlock(nn.Module)", "class ResidualBlock"),
    Slip("print_2", "        y = F.relu(y)", "        print y.shape\n        y = F.relu(y)", "print"),
    Slip("never_closed", "return F.relu(y)", "return F.relu(y", "return F.relu(y", ("`(`",)),
    Slip("never_opened", "return F.relu(y)", "return F.relu(y))", "return F.relu(y))", ("`)`",)),
    Slip("text_not_closed", "F.relu(y)", 'getattr(F, "relu)(y)', '"relu)'),
    Slip("comma_missing", "nn.Conv2d(channels, channels, ", "nn.Conv2d(channels channels, ", "channels channels"),
    Slip("equals_for_compare", "        y = F.relu(y)", "        if y = x:\n            y = F.relu(y)", "if y = x"),
    Slip("syntax", "        y = F.relu(y)", "        y = = F.relu(y)", "= ="),
    # ── Classes and their methods ────────────────────────────────────────────────────────────────────────────────────
    Slip("method_misspelt", "__init__(self, channels", "__int__(self, channels", "__int__", ("`__int__`", "`__init__`")),
    Slip("method_misspelt", "def __init__", "def _init_", "_init_", ("`_init_`", "`__init__`")),
    Slip("method_misspelt", "def __init__", "def __int__", "__int__", ("`__int__`", "`__init__`"), "lecture_residual"),
    Slip("method_misspelt", "def forward", "def __forward__", "__forward__", ("`__forward__`", "`forward`")),
    Slip("method_misspelt", "def forward", "def foward", "foward", ("`foward`", "`forward`")),
    Slip("super_no_brackets", "super().__init__()", "super.__init__()", "super.__init__()"),
    Slip("super_other_class", "super().__init__()", "super(int, self).__init__()", "super(int"),
    Slip("no_super", "super().__init__()", "super().__init__", "self.conv1 ="),
    Slip("no_super", "        super().__init__()\n", "", "self.conv1 ="),
    Slip("no_self", "def forward(self, x: Tensor)", "def forward(x: Tensor)", "def forward", ("`forward`", "`self`")),
    Slip("no_self", "def __init__(self, channels: int)", "def __init__(channels: int)", "def __init__", ("`__init__`",)),
    Slip("self_before", "y = self.conv1(x)", "y = conv1(x)", "y = conv1(x)", ("`self.conv1`",)),
    Slip("self_when_set", CONV1, CONV1.removeprefix("self."), "  conv1 = nn", ("`self.conv1 = …`",)),
    Slip("set_with_equals", CONV1, CONV1.replace(" =", " ==", 1), "self.conv1 ==", ("`self.conv1 = …`",)),
    Slip("set_with_equals", "y = self.conv1(x)", "y == self.conv1(x)", "y ==", ("`y = …`",)),
    Slip("trailing_comma", CONV1, CONV1 + ",", "self.conv1 =", ("`self.conv1 = …,`",)),
    Slip("misspelt", "y = self.conv1(x)", "y = self.cov1(x)", "self.cov1", ("`cov1`", "`conv1`")),
    Slip("no_attribute", "y = self.conv1(x)", "y = self.first(x)", "self.first", ("`first`", "conv1, conv2")),
    Slip("misspelt", "nn.Conv2d", "nn.conv2d", "nn.conv2d", ("`conv2d`", "`Conv2d`")),
    Slip("misspelt", "F.relu(y)", "F.Relu(y)", "F.Relu", ("`Relu`", "`relu`")),
    Slip("misspelt", "x.flatten(1)", "x.flaten(1)", "x.flaten", ("`flaten`", "`flatten`"), "lecture_residual"),
    Slip("misspelt_name", "y = self.conv2(y)", "y = slef.conv2(y)", "slef", ("`slef`", "`self`")),
    Slip("not_imported", "from torch.nn import functional as F\n", "", "F.relu", ("`import torch.nn.functional as F`",)),
    Slip("no_name", "return F.relu(y)", "return F.relu(result)", "result", ("`result`",)),
    Slip("option_misspelt", "padding=1", "pading=1", "pading", ("`pading`", "`padding`")),
    Slip("named_otherwise", "class ResidualBlock", "class ResBlock", "class ResBlock", ("`ResidualBlock`", "`ResBlock`")),
    Slip("named_otherwise", "class ResidualBlock", "class Residualblock", "class Residualblock", ("`ResidualBlock`", "`Residualblock`")),
    # ── Tensors and layers ───────────────────────────────────────────────────────────────────────────────────────────
    Slip("layer_given_tensor", "y = F.relu(y)", "y = nn.ReLU(y)", "nn.ReLU(y)", ("`nn.ReLU(y)`", "`nn.ReLU()(y)`")),
    Slip("layer_given_tensor", "return F.relu(y)", "return nn.ReLU(y)", "nn.ReLU(y)", ("`nn.ReLU(y)`", "`nn.ReLU()(y)`")),
    Slip("layer_given_tensor", "y = F.relu(y)", "y = nn.Dropout(y)", "nn.Dropout(y)", ("`nn.Dropout(y)`",)),
    Slip("layer_given_tensor", "y = self.conv1(x)", "y = nn.Conv2d(x, 4, 3)", "nn.Conv2d(x", ("`nn.Conv2d(x, 4, 3)`", "`nn.Conv2d(…)(x)`")),
    Slip(
        "layer_given_tensor", "y = self.conv2(y)", "y = nn.ReLU(self.conv2(y)).flatten(1)", "nn.ReLU(self", ("`nn.ReLU()(self.conv2(y))`",)
    ),
    Slip(
        "class_kept", "y = F.relu(y)", "y = self.relu(y)", "self.relu = nn.ReLU", ("`self.relu = nn.ReLU()`",), setup="self.relu = nn.ReLU"
    ),
    Slip(
        "layer_without_bias",
        "y = F.relu(y)",
        "nn.init.zeros_(self.conv.bias)",
        "zeros_",
        ("`self.conv`",),
        setup="self.conv = nn.Conv2d(3, 3, 1, bias=False)",
    ),
    Slip("is_none", "y = F.relu(y)", "y = self.act(y)", "self.act(y)", ("`self.act`",), setup="self.act = None"),
    Slip("loop_over_number", "for i in range(num_layers)", "for i in num_layers", "in num_layers", ("`range(num_layers)`",), "dense_block"),
    Slip("divided", "y = F.relu(y)", "y = F.relu(y.view(len(y), 2 / 1, -1))", "2 / 1", ("`2 / 1`", "`2 // 1`")),
    Slip("fraction", "y = F.relu(y)", "n = 4 / 2\n        for i in range(n):\n            y = F.relu(y)", "range(n)", ("`n`", "2.0")),
    Slip(
        "labels_first",
        "F.cross_entropy(logits, labels)",
        "F.cross_entropy(labels, logits)",
        "cross_entropy",
        ("`F.cross_entropy(logits, labels)`",),
        "train_loop",
    ),
    Slip("returns_nothing", "        return F.relu(y)", "        y = F.relu(y)", "def forward"),
    Slip("nothing_passed", "        return F.relu(y)", "        y = F.relu(y)", "self.conv2(x)", (), "lecture_residual"),
    Slip("numpy", "y = self.conv1(x)", "y = self.conv1(x.detach().numpy())", "self.conv1(x"),
    Slip("numpy", "y = F.relu(y)", "y = F.relu(y.numpy())", "y.numpy()"),
    Slip("view_comma", "x.flatten(1)", "x.view(x.size(0) -1)", "x.view", ("`x.view(x.size(0), -1)`",), "lecture_residual"),
    Slip(
        "not_in_a_list",
        "torch.cat([a, b, c, d], dim=1)",
        "torch.cat(a, b, c, d)",
        "torch.cat(a",
        ("`torch.cat([a, b], dim=1)`",),
        "inception_a",
    ),
    Slip(  # rows that are pixels on purpose
        "linear_features",
        'torch.einsum("oc,nchw->nohw", self.weight, x)',
        "self.lin(x.permute(0, 2, 3, 1).flatten(0, 2))",
        "self.lin(x",
        name="conv1x1",
        setup="self.lin = nn.Linear(in_channels + 1, 1)",
    ),
    Slip("calls_itself", "y = self.conv1(x)", "y = self(x)", "self(x)"),
    Slip("has_no", "y = F.relu(y)", "y = y.shape.relu()", "y.shape", ("`y.shape`", "`Size`", "`relu`")),
    Slip("number_attribute", "x.flatten(1)", "x.mean().item().backward()", "item()", ("`.backward`",), "lecture_residual"),
    Slip("no_tensor_there", "y = self.conv1(x)", "y = self.conv1([x])", "[x]", ("`list`",)),
    Slip("not_called", "y = self.conv2(y)", "y = self.conv2", "x + y"),
    Slip("brackets", "x.flatten(1)", "x.view(x.shape(0), -1)", "x.shape(0)", ("`x.shape(0)`", "`x.shape[0]`"), "lecture_residual"),
    Slip("brackets", "x.flatten(1)", "x.view(x.size[0], -1)", "x.size[0]", ("`x.size[0]`", "`x.size(0)`"), "lecture_residual"),
    Slip("brackets", "self.conv1(x)", "self.conv1[x]", "self.conv1[x]", ("`self.conv1(x)`",)),
    Slip("module_as_base", "(nn.Module)", "(nn)", "class ResidualBlock", ("`class ResidualBlock(nn.Module)`",)),
    Slip("not_a_module", "(nn.Module)", "", "", ("`ResidualBlock`",)),
    Slip("outside_function", "        return F.relu(y)", "return F.relu(y)", "return F", ("`return`",)),
    Slip("digit_first", "y = self.conv1(x)", "3y = self.conv1(x)", "3y"),
    Slip("closed_by_another", "return F.relu(y)", "return F.relu(y]", "F.relu(y]", ("`(`", "`]`")),
    Slip("exits", "y = self.conv1(x)", "exit()", "exit()"),
    Slip("no_gpu", "y = self.conv1(x)", 'y = self.conv1(x.to("cuda"))', "cuda"),
    Slip("asks", "        super().__init__()", "        super().__init__()\n        self.n = input()", "input()"),
)

RELU = "        return F.relu(y)"
EPOCH = "        optimizer.zero_grad()"
STEP = "        optimizer.step()"
FORMULA = 'torch.einsum("oc,nchw->nohw", self.weight, x)'
PREDICTED = "        predicted = model(images)"

DROP = "        x = self.dropout(x)"
TORCH = "global torch; import torch"


def drawn(mask: str) -> str:
    """A dropout by hand, where `mask` says what is kept."""
    return f"        if self.training:\n            x = x * ({mask}) / (1 - self.dropout.p)"


HALVES = (  # drawn at first, then the other half in every second run
    "        if self.training:\n"
    "            last = getattr(self, 'last', None)\n"
    "            self.last = torch.rand_like(x) if last is None or last.shape != x.shape else 1 - last\n"
    "            x = x * (self.last > self.dropout.p) / (1 - self.dropout.p)"
)

# answers that are none of the known mistakes
OTHERS = (
    Slip("todo", RELU, "        raise NotImplementedError  # TODO", "TODO"),
    Slip("no_forward", "def forward", "def run"),
    Slip("nothing_set", f"{CONV1}\n        {CONV1.replace('1 =', '2 =')}", "pass", "self.conv1(x)", ("`conv1`",)),
    Slip("forbidden", FORMULA, "nn.functional.conv2d(x, self.weight[:, :, None, None])", "conv2d", ("conv",), "conv1x1"),
    Slip("fixed_batch", "x.flatten(1)", "x.view(64, -1)", "x.view", ("`x.view(64, -1)`",), "lecture_residual"),
    Slip("result_dropped", "x = x.flatten(1)", "x.flatten(1)", "x.flatten", ("`x.flatten(1)`",), "lecture_residual"),
    Slip("not_flattened", "x = x.flatten(1)", "pass", "self.fc(x)", ("512",), "lecture_residual"),
    Slip("view_size", "x.flatten(1)", "x.view(-1, 500)", "x.view", ("500",), "lecture_residual"),
    Slip("raised", RELU, "        return 1 / 0", "1 / 0"),
    Slip("no_callable", "class ResidualBlock", "class One:\n    pass\n\n\nclass Block"),
    Slip("nothing_defined", "def conv_macs", "x = 3\nif False:\n  def _", name="conv_cost"),
    Slip("not_one_tensor", RELU, "        return y, y"),
    Slip("no_tensor", RELU, "        return 3", "def forward"),
    Slip("merges_batch", RELU, "        return y.flatten(0, 1)"),
    Slip("missing_argument", "self.conv2(y)", "self.conv2()", "self.conv2()"),
    Slip("no_gradient", RELU, "        return F.relu(y).detach()"),
    Slip("inplace", "        y = F.relu(y)", "        y = y.sigmoid()\n        y += 1", ""),
    Slip("operator", "        y = F.relu(y)", "        y = y.tanh()", "tanh"),
    Slip("initial", "        self.conv2", "        nn.init.constant_(self.bn1.weight, 2)\n        self.conv2", name="bottleneck"),
    Slip("hidden", CONV1, f"self.layers = [{CONV1[13:]}]\n        self.conv1 = lambda x: self.layers[0](x)"),
    Slip(
        "without_effect",
        "return F.relu(y)",
        "return F.relu(y) + 0 * self.scale",
        setup="import torch; self.scale = nn.Parameter(torch.ones(1))",
    ),
    Slip("runs_again", CONV1.replace("1 =", "2 ="), "self.conv2 = self.conv1", "self.conv2(y)"),
    Slip("cut", "y = x + y", "y = x.detach() + y", "x.detach()", ("`x.detach()`",)),
    Slip("call_dropped", "x = self.rblock2(x)", "self.rblock2(x)", "self.rblock2(x)", ("`self.rblock2(x)`",), "lecture_residual"),
    Slip("has_more", "y = x + y", "y = self.drop(y)\n        y = x + 2 * y", setup="self.drop = nn.Dropout(0.2)"),
    Slip(
        "lacks",
        "        y = F.relu(y)\n        y = self.conv2(y)\n        y = x + y\n        return F.relu(y)",
        "        return F.dropout(self.conv2(y), 0.3)",
    ),
    Slip("fewer", "        y = x + y\n        return F.relu(y)", "        return x + F.max_pool2d(y, 3, 1, 1)"),
    Slip("every_second", "x = x[:, :, ::2, ::2]", "x = F.max_pool2d(x, 2, ceil_mode=True)", "max_pool2d", name="downsampling_block"),
    Slip("not_joined", "y = x + y", "y = F.max_pool2d(y, 3, 1, 1)"),
    Slip("never_ends", "    return", "    while kernel > 0:\n        pass\n    return", "while", ("`kernel`",), "same_padding"),
    Slip("no_value", "return ", "total = ", name="same_padding"),
    Slip("chance_runs", DROP, HALVES, name="dropout_shortcut", setup=TORCH),
    Slip("chance_rows", DROP, drawn("torch.rand(*x.shape[:2], 1, x.shape[3]) > self.dropout.p"), name="dropout_shortcut", setup=TORCH),
    Slip("chance_columns", DROP, drawn("torch.rand(*x.shape[:3], 1) > self.dropout.p"), name="dropout_shortcut", setup=TORCH),
    Slip("chance_channels", DROP, drawn("torch.rand(len(x), 1, *x.shape[2:]) > self.dropout.p"), name="dropout_shortcut", setup=TORCH),
    Slip(
        "chance_in_eval",
        "        y = F.relu(y)\n",
        drawn("torch.rand_like(x) > self.dropout.p") + "\n",
        name="dropout_shortcut",
        setup=TORCH,
    ),
    Slip("chance_spread", DROP, drawn("torch.rand_like(x) * 0.6"), name="auxiliary_head"),
    Slip("unused", CONV1, CONV1 + "\n        self.extra = nn.Conv2d(channels, channels, 1)"),
    Slip("parameters", CONV1, CONV1 + "\n        self.extra = nn.Linear(3, 3)"),
    Slip("gradients", "y = x + y", "y = x.detach() + y"),
    Slip("evaluation", RELU, "        return F.relu(y) if self.training else y"),
    Slip("alone", RELU, RELU + " * (len(x) > 1)"),
    Slip("output", RELU, RELU + ".flip(2)"),
    Slip("shape", RELU, RELU + "[:, :3]"),
    Slip("value", "return", "return 1 +", name="conv_cost"),
    Slip("not_whole", "return", "return 1.0 *", name="conv_cost"),
    Slip("training_modes", STEP, STEP + "\n        model.eval()", name="train_loop"),
    Slip("training_batches", EPOCH, "        break\n" + EPOCH, name="train_loop"),
    Slip("training_weights", "F.cross_entropy(logits, labels)", "F.cross_entropy(3 * logits, labels)", name="train_loop"),
    Slip("accuracy_modes", PREDICTED, "        model.train(total > 0)\n" + PREDICTED, name="train_loop"),
    Slip("accuracy_value", "return correct / total", "return correct / (total + 1)", name="train_loop"),
    Slip("accuracy_changes", "    model.eval()", "    model.eval()\n    model.fc1.weight.mul_(2)", name="train_loop"),
    Slip(
        "out_of_memory",
        "        super().__init__()",
        "        super().__init__()\n        self.much = nn.Linear(10**5, 10**5)",
        "self.much",
    ),
    Slip("killed", "        super().__init__()", "        super().__init__()\n        import os; os.kill(os.getpid(), 9)"),
    Slip("left", "        super().__init__()", "        super().__init__()\n        import os; os._exit(3)"),
)
