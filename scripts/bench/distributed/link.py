"""A switch with the bandwidth and delay of real links, for hosts that are network namespaces.

    python3 link.py HOSTS GBITS DELAY_MS NAME

Makes a TUN device NAME0, NAME1, ... for each host, prints `ready`, and then forwards the packets of host i to the host whose address ends
with the number of the host from 1. A packet takes its length divided by the bandwidth on the link of the sender and again waits for
that of the receiver, plus the delay. Nothing is lost. It ends with its standard input. Linux's own `tc netem` does the same in kernels that have it.
"""

import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET = 65536
DESTINATION = 19  # the last byte of the address in an IPv4 header


def open_tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def forward(devices: list[int], seconds_per_byte: float, delay: float) -> None:
    host_of = {device: host for host, device in enumerate(devices)}
    # When the links to and from the switch are free again.
    up, down = [0.0] * len(devices), [0.0] * len(devices)
    waiting: list[tuple[float, int, int, bytes]] = []  # due, order, host, packet
    order = 0
    readable = [*devices, sys.stdin.fileno()]
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select(readable, [], [], timeout)[0]:
            if source == sys.stdin.fileno():
                return
            try:
                packet = os.read(source, MAX_PACKET)
            except OSError:  # the device is not up yet, or the host has gone
                continue
            host = packet[DESTINATION] - 1 if packet[0] >> 4 == 4 and len(packet) > DESTINATION else -1
            if not 0 <= host < len(devices):
                continue  # IPv6 and broadcasts
            duration = len(packet) * seconds_per_byte
            sender = host_of[source]
            up[sender] = max(up[sender], time.monotonic()) + duration
            # Packets pass through: on an idle link they do not take twice the time.
            down[host] = max(down[host] + duration, up[sender])
            heapq.heappush(waiting, (down[host] + delay, order, host, packet))
            order += 1
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, host, packet = heapq.heappop(waiting)
            try:
                os.write(devices[host], packet)
            except OSError:  # the host has gone
                pass


def main() -> None:
    hosts, gbits, delay_ms, name = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    devices = [open_tun(f"{name}{host}") for host in range(hosts)]
    print("ready", flush=True)
    forward(devices, 8 / (gbits * 1e9), delay_ms / 1000)


main()
