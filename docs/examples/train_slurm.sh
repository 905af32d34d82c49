#!/bin/bash
# Trains one network on 4 machines with 8 GPUs each. An example: NOT RUN by this project.
#
#   sbatch train_slurm.sh
#
# The data and the run lie in a folder that all machines share. After an interruption, submit it
# again: the training goes on after its last whole epoch.
#SBATCH --job-name=facedots
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue

RUN=/shared/runs/large
START=(recipes/large.yaml --data /shared/packs/faces --out "$RUN" --batch-size 1024 --workers 6)
[ -e "$RUN/recipe.yaml" ] && START=(--resume "$RUN")
FIRST=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

export OMP_NUM_THREADS=1
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node 8 --rdzv-id "$SLURM_JOB_ID" \
  --rdzv-backend c10d --rdzv-endpoint "$FIRST:29500" -m facedots train "${START[@]}"
