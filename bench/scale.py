"""How large and how often: full size for figures, tiny to see that everything runs."""

import os
from dataclasses import dataclass

THREADS = os.cpu_count() or 2
SEED = 20_240_101


@dataclass(frozen=True)
class Scale:
    """The size of a run. Figures of a tiny one mean nothing."""

    tiny: bool = False

    def of(self, full: int, tiny: int) -> int:
        """A number for this scale."""
        return tiny if self.tiny else full

    @property
    def rounds(self) -> int:
        """How often each of the compared things runs, in turns."""
        return 1 if self.tiny else 3
