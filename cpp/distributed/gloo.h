// The gloo backend of libtorch: collectives of CPU tensors over TCP.
#pragma once

#include <chrono>
#include <string>

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace dyconv {

// Connects this process, `rank` of `size`, with all others of a group, which find each other through `store`.
// Blocks until all have come. `host`: the address or name that this process listens on; empty: that of the
// network interface `interface`, or, where that is empty too, of this machine's name, as in PyTorch.
c10::intrusive_ptr<c10d::Backend> ConnectGloo(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                              int size, std::chrono::milliseconds timeout,
                                              const std::string& host, const std::string& interface);

}  // namespace dyconv
