# ready.sh WORK WEFT_DIR: succeeds when STATUS says that pods can be added.
echo "{\"cniVersion\":\"1.1.0\",\"name\":\"weft\",\"type\":\"weft\",\"agent_socket\":\"$1/run/agent.sock\"}" | CNI_COMMAND=STATUS "$2/weft" >/dev/null
