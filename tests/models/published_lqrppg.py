"""LQ-rPPG and its label quantisers as public code has them, in its names, without anything of the library.

Oracles: slow, of one size, and with the scan as the recurrence that defines it.
"""

import torch
from torch import nn
from torch.nn import functional

STEM, WIDTH, STATES, FRAMES = 16, 64, 48, 160


def shrinking(come, leave, stride):
    return nn.Sequential(nn.Conv2d(come, leave, 7, stride, 3), nn.BatchNorm2d(leave), nn.ReLU(), nn.MaxPool2d(2))


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem11 = shrinking(3, STEM // 2, 2)
        self.stem12 = shrinking(12, STEM // 2, 2)
        self.stem21 = shrinking(STEM // 2, STEM, 1)
        self.stem22 = shrinking(STEM // 2, STEM, 1)

    def forward(self, clip):                                         # (B,3,T,H,W)
        maps = []
        last = clip.shape[2] - 1
        for t in range(last + 1):                                    # picture by picture
            at = [clip[:, :, min(max(t + shift, 0), last)] for shift in (-2, -1, 0, 1, 2)]
            looks = self.stem11(at[2])
            moves = self.stem12(torch.cat([after - before for before, after in zip(at, at[1:])], 1))
            maps.append((self.stem21((looks + moves) / 2) + self.stem22(moves)) / 2)
        return torch.stack(maps, 2)                                  # (B,16,T,H/8,W/8)


class Mamba(nn.Module):
    def __init__(self, width):
        super().__init__()
        inner, rank = 2 * width, -(-width // 16)
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.A_log, self.A_b_log = (nn.Parameter(torch.zeros(inner, STATES)) for _ in range(2))
        self.D, self.D_b = (nn.Parameter(torch.zeros(inner)) for _ in range(2))
        self.conv1d, self.conv1d_b = (nn.Conv1d(inner, inner, 4, padding=3, groups=inner) for _ in range(2))
        self.x_proj, self.x_proj_b = (nn.Linear(inner, rank + 2 * STATES, bias=False) for _ in range(2))
        self.dt_proj, self.dt_proj_b = (nn.Linear(rank, inner) for _ in range(2))

    def forward(self, series):                                       # (B,T,width)
        both = self.in_proj(series).transpose(1, 2)                  # (B,2*inner,T)
        one = scanned(both, self.conv1d, self.x_proj, self.dt_proj, self.A_log, self.D)
        other = scanned(both.flip(-1), self.conv1d_b, self.x_proj_b, self.dt_proj_b, self.A_b_log, self.D_b)
        return self.out_proj((one + other.flip(-1)).transpose(1, 2))


def scanned(both, convolution, x_proj, dt_proj, log, skip):
    """One direction, with its gate: the two are added afterwards."""
    batch, twice, length = both.shape
    x, z = both[:, :twice // 2], both[:, twice // 2:]
    x = functional.silu(convolution(x)[..., :length])
    state, out = torch.zeros(batch, twice // 2, STATES), []
    for t in range(length):
        now = x[..., t]                                              # (B,inner)
        dt, b, c = x_proj(now).split([dt_proj.in_features, STATES, STATES], 1)
        dt = functional.softplus(dt_proj(dt))
        state = state * torch.exp(dt[:, :, None] * -torch.exp(log)) + (dt * now)[:, :, None] * b[:, None]
        out.append((state * c[:, None]).sum(-1) + skip * now)
    return torch.stack(out, -1) * functional.silu(z)                 # (B,inner,T)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.x_norm = nn.LayerNorm(width)
        self.mamba = Mamba(width)

    def forward(self, x):
        return x + self.mamba(self.x_norm(x))


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        convolutions = [nn.Conv1d(WIDTH, WIDTH, 3, padding=1) for _ in range(3)]
        self.time_feature_extractor = nn.Sequential(convolutions[0], nn.GELU(), convolutions[1], nn.GELU(),
                                                    convolutions[2])
        self.last_conv = nn.Conv1d(WIDTH, 1, 3, padding=1)

    def forward(self, x):
        return self.last_conv(self.time_feature_extractor(x))


def seen_by(codes, scalar):
    """The mean of codes in any order, by nearness to a scalar (B,T)."""
    return functional.softmax(-(scalar[..., None] - codes).abs(), -1) @ codes


class C2F(nn.Module):
    """The network; ``codes`` come from five other files and are no part of its state."""

    def __init__(self):
        super().__init__()
        self.Fusion_Stem = Stem()
        self.stem3 = nn.Sequential(nn.Conv3d(STEM, WIDTH, (3, 5, 5), padding=(1, 2, 2)), nn.BatchNorm3d(WIDTH))
        self.position_embedding = nn.Parameter(torch.zeros(1, FRAMES, WIDTH))
        for n in range(1, 5):
            self.add_module(f"mamba_{n}", nn.Sequential(Block(WIDTH)))
            self.add_module(f"mamba{n}_token_head", nn.Conv1d(WIDTH, 1, 1))
            self.add_module(f"mamba{n}_scalar_projection", nn.Conv1d(1, WIDTH, 1))
        self.rppg_predictor = Predictor()

    def forward(self, clip, codes):
        """Return five heads (B,T) and the wave (B,T)."""
        x = self.stem3(self.Fusion_Stem(clip))
        mask = torch.sigmoid(x)
        mask = mask / mask.sum((3, 4), keepdim=True) * x.shape[3] * x.shape[4] * 0.5
        x = (x * mask).mean((3, 4)).transpose(1, 2)                  # (B,T,64)
        x = x + self.position_embedding[:, :x.shape[1]]
        heads, handed_on = [], []
        for n in range(1, 5):
            part = self.get_submodule
            x = part(f"mamba_{n}")(x)
            heads.append(part(f"mamba{n}_token_head")(x.transpose(1, 2))[:, 0])
            handed_on.append(part(f"mamba{n}_scalar_projection")(seen_by(codes[n - 1], heads[-1])[:, None]))
            x = x + torch.stack(handed_on).sum(0).transpose(1, 2)    # this guess, and those before once more
        heads.append(self.rppg_predictor(x.transpose(1, 2))[:, 0])
        return heads, seen_by(codes[4], heads[-1])


class LabelEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for dilation in (1, 2, 4, 8, 16):
            layers += [nn.Conv1d(1, 1, 5, padding=2 * dilation, dilation=dilation), nn.GELU()]
        self.dilated_conv_block = nn.Sequential(*layers[:-1])
        self.mamba_encoder = nn.Sequential(Block(1))
        self.position_embedding = nn.Parameter(torch.zeros(1, FRAMES, 1))

    def forward(self, wave):                                         # (B,T)
        x = (wave[:, None] + self.dilated_conv_block(wave[:, None])).transpose(1, 2)
        return self.mamba_encoder(x + self.position_embedding[:, :x.shape[1]])[..., 0]


class Codes(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.embeddings = nn.Embedding(count, 1)
        self.ema_w = nn.Parameter(torch.randn(count, 1))
        self.register_buffer("ema_cluster_size", torch.rand(count))


class LabelQuantiser(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.encoder, self.quantizer = LabelEncoder(), Codes(count)

    def forward(self, wave):
        """Return what is encoded, and the nearest codes, both (B,T)."""
        encoded, codes = self.encoder(wave), self.quantizer.embeddings.weight[:, 0]
        return encoded, codes[(encoded[..., None] - codes).abs().argmin(-1)]


def randomised(module):
    """Give a module weights of which none may be mistaken for another."""
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(4321)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif "A_" in name:
            tensor.copy_(torch.rand_like(tensor) * 3 - 1)
        elif name.startswith("rppg_predictor") and name.endswith("weight"):
            tensor.mul_(3)                                           # so that its wave is no constant
        elif name.endswith(("running_mean", "bias", "norm.weight", ".1.weight", ".D", ".D_b", "position_embedding")):
            tensor.copy_(torch.randn_like(tensor) * 0.5 + (1 if name.endswith("weight") else 0))
    return module.eval()


def random_training():
    """Return the network and its five label quantisers, whose codes are in no order."""
    torch.manual_seed(0)
    return randomised(C2F()), [randomised(LabelQuantiser(2 ** bits)) for bits in range(1, 6)]


def codes_of(quantisers):
    return [quantiser.quantizer.embeddings.weight.detach()[:, 0] for quantiser in quantisers]


def saved(folder, network, quantisers, *, training="PURE_PURE_LQC2F", prefix="module."):
    """Write the six files of a training as public code does; return the network's."""
    for bits, quantiser in enumerate(quantisers, start=1):
        torch.save({prefix + name: tensor for name, tensor in quantiser.state_dict().items()},
                   folder / f"{training}_{bits}th_LQ_Epoch{7 + bits}.pth")
    path = folder / f"{training}_rPPG_Epoch49.pth"
    torch.save({"C2F_model": {prefix + name: tensor for name, tensor in network.state_dict().items()}}, path)
    return path
