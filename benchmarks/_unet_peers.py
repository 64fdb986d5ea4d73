"""The peer of `unet.py`: `models.UNet`, layer by layer, in PyTorch."""

import itertools

import numpy as np

FREQUENCIES = 0.5, 16.0


def torch_runs(points, setting, compiled):
    """Training steps and samples in PyTorch, each to be timed."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = _network(torch.nn, setting).to(device)
    network = network.to(memory_format=torch.channels_last)
    kind = torch.bfloat16 if setting.half else torch.float32
    data = torch.from_numpy(points.transpose(0, 3, 1, 2).copy()).to(device)
    data = data.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def predict(x, alpha, sigma):
        time = 0.25 * torch.clamp(torch.log(sigma) - torch.log(alpha), -10, 10)
        with torch.autocast(device, kind, enabled=setting.half):
            found = network(x / torch.sqrt(alpha**2 + sigma**2)[:, None, None, None], time)
        return found.to(x.dtype)

    def loss_of(batch, angle, noise):
        alpha, sigma = torch.cos(angle), torch.sin(angle)
        a, s = alpha[:, None, None, None], sigma[:, None, None, None]
        predicted = predict(a * batch + s * noise, alpha, sigma)
        return ((predicted - (a * noise - s * batch)) ** 2).mean()

    def denoise_step(x, now, after):
        v = predict(x, torch.cos(now), torch.sin(now))
        cos, sin = (f(now)[:, None, None, None] for f in (torch.cos, torch.sin))
        denoised, noise = cos * x - sin * v, sin * x + cos * v
        cos, sin = (f(after)[:, None, None, None] for f in (torch.cos, torch.sin))
        return cos * denoised + sin * noise

    if compiled:
        loss_of, denoise_step = torch.compile(loss_of), torch.compile(denoise_step)
    count = setting.batch

    def train():
        for _ in range(setting.steps):
            batch = data[torch.randint(0, len(data), (count,), device=device)]
            angle = 0.5 * np.pi * (0.001 + 0.998 * torch.rand(count, device=device))
            loss = loss_of(batch, angle, torch.randn_like(batch))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    def sample():
        angles = np.linspace(0.5 * np.pi, 0, setting.sampler_steps + 1)
        with torch.no_grad():
            x = torch.randn_like(data[:count])
            for now, after in itertools.pairwise(angles):
                at = lambda angle: torch.full((count,), float(angle), device=device)
                x = denoise_step(x, at(now), at(after))
        if device == "cuda":
            torch.cuda.synchronize()

    train()
    sample()
    return train, sample


def _network(nn, setting):
    import torch

    width, channels = setting.width, [setting.width * m for m in setting.multipliers]
    made, colours = 4 * setting.width, setting.shape[2]
    silu = nn.functional.silu

    class Block(nn.Module):
        def __init__(self, before, out):
            super().__init__()
            self.norms = nn.ModuleList([nn.GroupNorm(8, before), nn.GroupNorm(8, out)])
            self.first, self.second = nn.Conv2d(before, out, 3, 1, 1), nn.Conv2d(out, out, 3, 1, 1)
            self.told = nn.Linear(made, 2 * out, bias=False)
            self.shortcut = nn.Identity() if before == out else nn.Conv2d(before, out, 1)

        def forward(self, x, embedded):
            hidden = self.first(silu(self.norms[0](x)))
            scale, shift = self.told(embedded)[:, :, None, None].chunk(2, dim=1)
            hidden = self.norms[1](hidden) * (1 + scale) + shift
            return self.second(silu(hidden)) + self.shortcut(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            rates = np.geomspace(*FREQUENCIES, width).astype(np.float32)
            self.register_buffer("rates", torch.from_numpy(rates))
            self.embed = nn.Sequential(
                nn.Linear(2 * width, made), nn.SiLU(), nn.Linear(made, made), nn.SiLU()
            )
            self.inward = nn.Conv2d(colours, channels[0], 3, 1, 1)
            befores = [channels[0], *channels[:-1]]
            pairs = zip(befores, channels, strict=True)
            self.downs = nn.ModuleList([Block(a, b) for a, b in pairs])
            self.halvings = nn.ModuleList([nn.Conv2d(c, c, 4, 2, 1) for c in channels[:-1]])
            last = channels[-1]
            self.middle = nn.ModuleList([Block(last, last), Block(last, last)])
            self.ups = nn.ModuleList([Block(2 * c, c) for c in reversed(channels)])
            pairs = list(zip(channels[1:], channels[:-1], strict=True))[::-1]
            self.doublings = nn.ModuleList([nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairs])
            self.norm = nn.GroupNorm(8, channels[0])
            self.outward = nn.Conv2d(channels[0], colours, 3, 1, 1)

        def forward(self, x, time):
            angles = time[:, None] * self.rates
            embedded = self.embed(torch.cat([torch.sin(angles), torch.cos(angles)], dim=1))
            hidden, kept = self.inward(x), []
            for index, block in enumerate(self.downs):
                hidden = block(hidden, embedded)
                kept.append(hidden)
                if index < len(self.halvings):
                    hidden = self.halvings[index](hidden)
            for block in self.middle:
                hidden = block(hidden, embedded)
            for index, block in enumerate(self.ups):
                hidden = block(torch.cat([hidden, kept.pop()], dim=1), embedded)
                if index < len(self.doublings):
                    hidden = self.doublings[index](hidden)
            return self.outward(silu(self.norm(hidden)))

    return Net()
