"""Has the kernel queue the error of a datagram that nobody takes: such queues are memory that no control group counts."""
import select
import socket

from probe import attempt

MSG_ERRQUEUE, IP_RECVERR, NOBODY = 0x2000, 11, ("127.0.0.1", 9)


def act():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    sender.sendto(b"x", NOBODY)
    poll = select.poll()
    poll.register(sender, select.POLLERR)
    poll.poll(100)  # on the loopback the answer is there before sendto returns
    return f"{len(sender.recvmsg(1, 512, MSG_ERRQUEUE | socket.MSG_DONTWAIT)[1])} errors"


attempt(act)
