#!/bin/bash
# A study on SLURM's nodes: sbatch docs/cluster/slurm.sh studies/quickstart.yaml, in a checkout on a shared file system
# after `make setup EXTRAS=ray`. Untested.
#SBATCH --job-name=colorgan --nodes=2 --ntasks-per-node=1 --cpus-per-task=8 --gpus-per-node=2 --time=08:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0 PATH="$PWD/.venv/bin:$PATH"
study=${1:?give a study file}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 20000))
gpus=${SLURM_GPUS_ON_NODE:-0}
start() { srun --nodes=1 --ntasks=1 --overlap -w "$1" ray start "${@:2}" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="$gpus" --block & }

start "${nodes[0]}" --head --port="$port" --include-dashboard=false
sleep 15
for node in "${nodes[@]:1}"; do start "$node" --address="${nodes[0]}:$port"; done

# This script runs on the first node, and so does the driver. Two minutes before the limit it saves the running trials.
python -m search run "$study" --engine ray --address "${nodes[0]}:$port" &
driver=$!
trap 'kill -TERM "$driver"' TERM
until wait "$driver"; do kill -0 "$driver" 2>/dev/null || exit 1; done
