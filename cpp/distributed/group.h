// Process groups: c10d's, with what dyconv adds to them.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "distributed/call_log.h"
#include "distributed/health.h"
#include "distributed/store.h"

namespace dyconv {

// How this process takes part.
struct WorldOptions {
  StoreAddress address;
  int rank = 0;
  std::chrono::milliseconds timeout{0};
  std::string interface;  // network interface of gloo; empty: by the address

  int size() const { return address.world_size; }
};

// The processes that were started together: their store, and their information about each other.
class World {
 public:
  // Opens the store and compares this process with the others. Throws a DistributedFailure.
  explicit World(const WorldOptions& options);

  const WorldOptions& options() const { return options_; }
  const c10::intrusive_ptr<c10d::TCPStore>& store() const { return store_; }
  Health& health() const { return *health_; }
  // Throws a DistributedFailure if a process that does not fit this one has come.
  void CheckRefusals() const;
  // The DistributedFailure for an error of a call on a group of `ranks`; a TypedError stays what it is.
  std::exception_ptr Explained(const std::exception_ptr& error, const GroupCall& call,
                               const std::vector<int>& ranks) const;

 private:
  WorldOptions options_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::unique_ptr<Health> health_;
};

class Group {
 public:
  // Connects with the other processes of the group. `ranks`: their numbers in the world, in the order of
  // their numbers in the group. `name` is "0" for the group of all, as in PyTorch. Blocks until all have
  // come.
  Group(std::shared_ptr<World> world, std::string name, std::vector<int> ranks);
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int size() const { return static_cast<int>(ranks_.size()); }
  const World& world() const { return *world_; }
  const c10::intrusive_ptr<c10d::ProcessGroup>& process_group() const { return process_group_; }

  // Throws a TypedError after Close().
  c10d::Backend& backend() const;
  // The last collective calls of this process. Throws a TypedError after Close().
  std::vector<LoggedCall> Calls() const;
  // The number in the group of a rank of the world. Throws a TypedError for one that is not in the group.
  int RankInGroup(int64_t rank, const char* argument) const;
  // The rank of the world of a number in the group.
  int RankInWorld(int rank) const { return ranks_.at(static_cast<size_t>(rank)); }
  // The exception being handled, an error of a send or receive, as a DistributedFailure.
  [[noreturn]] void Rethrow(const char* call) const;

  // Ends the connections, as soon as no other object, such as a Reducer, uses them.
  void Close();

 private:
  std::shared_ptr<World> world_;
  std::string name_;
  std::vector<int> ranks_;
  c10::intrusive_ptr<c10d::Backend> backend_;
  c10::intrusive_ptr<c10d::ProcessGroup> process_group_;
};

}  // namespace dyconv
