#pragma once
// The options of sockets that setsockopt(2) and getsockopt(2) are allowed for, as (level, option) pairs: what the
// standard library, common network libraries and glibc use. Left out is what hands a program to the kernel
// (SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF: their machine code comes from a pool of the whole host),
// what pins pages (SO_ZEROCOPY), what
// queues errors that no control group counts (IP_RECVERR, answered as if it had been set), what another part of the
// kernel answers (TCP_ULP, UDP_ENCAP, netfilter's options), and what only administrators may set.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace progtc::policy {

struct SocketOption {
  int level;
  int option;
};

// Linux numbers that the headers of Debian 12 name only together with others that clash (asm-generic/socket.h).
inline constexpr int kReceiveTimeout64 = 66;  // SO_RCVTIMEO_NEW
inline constexpr int kSendTimeout64 = 67;     // SO_SNDTIMEO_NEW

// Set and asked on sockets of any family. None of them changes what a socket may hold.
inline constexpr SocketOption kSetSocketOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},    {SOL_SOCKET, SO_REUSEPORT},   {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST},    {SOL_SOCKET, SO_LINGER},      {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_DONTROUTE},    {SOL_SOCKET, SO_PRIORITY},    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},     {SOL_SOCKET, kSendTimeout64}, {SOL_SOCKET, kReceiveTimeout64},
    {SOL_SOCKET, SO_PASSCRED},     {SOL_SOCKET, SO_TIMESTAMP},   {SOL_SOCKET, SO_TIMESTAMPNS},
    {SOL_SOCKET, SO_INCOMING_CPU}, {SOL_SOCKET, SO_PEEK_OFF},
};
// Asked only.
inline constexpr SocketOption kGetSocketOptions[] = {
    {SOL_SOCKET, SO_ERROR},    {SOL_SOCKET, SO_TYPE},    {SOL_SOCKET, SO_PROTOCOL},   {SOL_SOCKET, SO_DOMAIN},
    {SOL_SOCKET, SO_SNDBUF},   {SOL_SOCKET, SO_RCVBUF},  {SOL_SOCKET, SO_RCVLOWAT},   {SOL_SOCKET, SO_SNDLOWAT},
    {SOL_SOCKET, SO_PEERCRED}, {SOL_SOCKET, SO_PEERSEC}, {SOL_SOCKET, SO_PEERGROUPS}, {SOL_SOCKET, SO_ACCEPTCONN},
};
// How much a socket may hold, in the kernel's memory.
inline constexpr SocketOption kSetSocketBuffers[] = {
    {SOL_SOCKET, SO_SNDBUF}, {SOL_SOCKET, SO_RCVBUF}, {SOL_SOCKET, SO_RCVLOWAT}};
// Set and asked on TCP and UDP sockets over IPv4 and IPv6.
inline constexpr SocketOption kSetInetOptions[] = {
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_RECVTTL},
    {IPPROTO_IP, IP_RECVTOS},
    {IPPROTO_IP, IP_PKTINFO},
    {IPPROTO_IP, IP_MTU_DISCOVER},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
    {IPPROTO_IP, IP_MULTICAST_IF},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IP, IP_ADD_MEMBERSHIP},
    {IPPROTO_IP, IP_DROP_MEMBERSHIP},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_RECVTCLASS},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {IPPROTO_IPV6, IPV6_JOIN_GROUP},
    {IPPROTO_IPV6, IPV6_LEAVE_GROUP},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_MAXSEG},
    {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
};
// Asked only.
inline constexpr SocketOption kGetInetOptions[] = {{IPPROTO_IP, IP_MTU},     {IPPROTO_IP, IP_RECVERR},
                                                   {IPPROTO_IPV6, IPV6_MTU}, {IPPROTO_IPV6, IPV6_RECVERR},
                                                   {IPPROTO_TCP, TCP_INFO},  {IPPROTO_TCP, TCP_CONGESTION}};

}  // namespace progtc::policy
