"""Many jobs: in this process, in processes of their own, on the machines of a Ray cluster, as an array of Slurm's."""
