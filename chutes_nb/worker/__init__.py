"""The process that runs jobs; it imports the standard library and little else."""
