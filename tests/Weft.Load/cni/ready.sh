# ready.sh WORK WEFT_DIR: succeeds when the agent is in sync.
"$2/weft" node status --run-dir "$1/run" -o json | grep -q '"inSync": *true'
