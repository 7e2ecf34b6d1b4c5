# why: --net chooses the network; the hint of a denied socket names both ways
# status: 0
# stdout: 127.0.0.1
# stdout: ConnectionRefusedError
# stdout: reached
# stderr has: allow: --net host (all that this machine reaches), or --net loopback (servers that the code starts itself)
cat > server.py <<'END'
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
server.settimeout(50)
server.accept()[0].sendall(b"reached")
END
cat > client.py <<'END'
import socket, sys
try:
    print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(100).decode())
except ConnectionRefusedError as error:
    print(type(error).__name__)
END
progtc-run --net loopback -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[0])'
exec 3< <(/usr/bin/python3 server.py)
read -r port <&3
progtc-run client.py "$port"
progtc-run --net loopback client.py "$port"
progtc-run --net host client.py "$port"
