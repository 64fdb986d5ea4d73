import dataclasses
@dataclasses.dataclass(frozen=True, kw_only=True)
class GanArgs:
    budget: int = 6000
def check_gan(args): ...
def play_gan(*args): return {}
