#!/bin/bash
# A study on SLURM's nodes: sbatch docs/cluster/slurm.sh studies/quickstart.yaml [OPTION OF search run ...], in a checkout
# on a shared file system after `make setup EXTRAS=ray`. sbatch's own options override these: --gpus-per-node=0, ...
#SBATCH --job-name=colorgan --nodes=2 --ntasks-per-node=1 --cpus-per-task=8 --gpus-per-node=2 --time=08:00:00
#SBATCH --signal=B:TERM@120 --requeue --open-mode=append
set -euo pipefail
: "${1:?give a study file}"
export RAY_USAGE_STATS_ENABLED=0 PATH="$PWD/.venv/bin:$PATH"
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | sha256sum | cut -c -64)
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token  # else whoever reaches a node could run code there

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 20000))
start() {  # again while the driver lives: Ray gives up where the disk is slow, and its processes may die
  while kill -0 $$ 2> /dev/null && ! srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" --overlap -w "$1" \
    ray start "${@:2}" --block --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}"; do sleep 10; done &
}
start "${nodes[0]}" --head --port="$port" --include-dashboard=false
for node in "${nodes[@]:1}"; do start "$node" --address="${nodes[0]}:$port"; done
for _ in {1..120}; do (: > "/dev/tcp/${nodes[0]}/$port") 2> /dev/null && break; sleep 1; done

# In this script's place: SLURM's SIGTERM, two minutes before the limit, is the driver's, which saves the running trials.
exec python -m search run "$@" --engine ray --address "${nodes[0]}:$port"
