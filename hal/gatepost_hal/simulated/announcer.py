"""A person who hears and reads everything that the lane tells."""

from gatepost_hal.ports import Prompt
from gatepost_hal.simulated.world import World


class SimulatedAnnouncer:
    """An `Announcer` that keeps what was told, and when."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.told: list[tuple[float, Prompt]] = []

    def tell(self, prompt: Prompt) -> None:
        """Keep the prompt."""
        self.told.append((self._world.now_s(), prompt))
