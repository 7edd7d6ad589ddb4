// The key-value store through which the processes of a group find each other.
#pragma once

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace dyconv {

struct StoreAddress {
  std::string host;
  int port = 0;        // 0, for the server: one that is free
  bool serve = false;  // this process is the server, as rank 0 is
  int world_size = 1;
};

// Whether a host is this machine's loopback interface, by its name or address.
bool IsLoopback(const std::string& host);

// Opens the store, waiting up to `timeout` for its server. The server listens on the loopback interface if
// the host is one, and on all interfaces otherwise. Throws a DistributedFailure.
c10::intrusive_ptr<c10d::TCPStore> OpenStore(const StoreAddress& address, std::chrono::milliseconds timeout);

}  // namespace dyconv
