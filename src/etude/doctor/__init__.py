"""Why a network that was loaded is wrong, and what there is on this machine."""
