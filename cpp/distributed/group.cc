#include "distributed/group.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <c10/util/Exception.h>
#include <torch/version.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include "distributed/gloo.h"
#include "distributed/watched_backend.h"
#include "libtorch_release.h"
#include "typed_error.h"

namespace dyconv {
namespace {

constexpr const char* kWorldName = "0/";  // of the group of all
constexpr const char* kWorldKey = "dyconv/world";

std::string RefusedKey(int rank) { return "dyconv/refused/" + std::to_string(rank); }

std::string MemberKey(const std::string& group, int rank) {
  return "dyconv/member/" + group + "/" + std::to_string(rank);
}

// The first line of an exception of libtorch, without gloo's guess at the cause: the blame says it better.
std::string FirstLine(std::string text) {
  text = text.substr(0, text.find('\n'));
  return text.substr(0, text.find(". This is typically caused by"));
}

std::string Description(const WorldOptions& options) {
  std::ostringstream text;
  text << options.rank << ' ' << options.size() << ' ' << TORCH_VERSION;
  return text.str();
}

// Why two processes do not fit; empty if they do.
std::string Difference(const std::string& theirs, const WorldOptions& options) {
  int rank = 0, size = 0;
  std::string version;
  std::istringstream(theirs) >> rank >> size >> version;
  std::ostringstream text;
  if (size != options.size()) {
    text << "rank " << options.rank << " has the world size " << options.size() << ", and rank " << rank
         << " has " << size;
  } else if (version != TORCH_VERSION) {
    text << "rank " << options.rank << " has libtorch " << TORCH_VERSION << ", and rank " << rank << " has "
         << version;
  }
  return text.str();
}

[[noreturn]] void FailMismatch(const std::string& difference, std::vector<int> ranks) {
  throw DistributedFailure("The processes of the group do not fit: " + difference, "mismatch",
                           std::move(ranks));
}

bool IsTimeout(const std::string& said) {
  return said.find("imed out") != std::string::npos || said.find("timeout") != std::string::npos ||
         said.find("Timeout") != std::string::npos;
}

}  // namespace

World::World(const WorldOptions& options)
    : options_(options), store_(OpenStore(options.address, options.timeout)) {
  c10d::Store& store = *store_;
  const std::string own = Description(options_);
  // The first process writes the key, and all get what it wrote. Processes of Python do not take part.
  const std::string difference = Difference(store.compareSet(kWorldKey, "", own), options_);
  if (!difference.empty()) {
    store.set(RefusedKey(options_.rank), difference);
    FailMismatch(difference, {options_.rank});
  }
  health_ = std::make_unique<Health>(store, options_.rank);
}

void World::CheckRefusals() const {
  std::vector<int> ranks;
  std::string difference;
  try {
    c10d::Store& store = *store_;
    // Also ranks beyond this world size: those of a process with a larger one.
    for (int rank = 0; rank < 2 * options_.size() + 2; ++rank) {
      if (rank == options_.rank || !store.check({RefusedKey(rank)})) continue;
      ranks.push_back(rank);
      difference = store.get_to_str(RefusedKey(rank));
    }
  } catch (const std::exception&) {
    return;  // the store is gone: the error that led here says more
  }
  if (!ranks.empty()) FailMismatch(difference, ranks);
}

std::exception_ptr World::Explained(const std::exception_ptr& error, const GroupCall& call,
                                    const std::vector<int>& ranks) const {
  std::string said;
  try {
    std::rethrow_exception(error);
  } catch (const TypedError&) {
    return error;
  } catch (const c10::Error& e) {
    said = FirstLine(e.what_without_backtrace());
  } catch (const std::exception& e) {
    said = FirstLine(e.what());
  }
  const Blame blame = health_->Find(call, ranks);
  std::ostringstream text;
  text << call.text << " failed on rank " << options_.rank;
  if (!blame.reason.empty()) text << " because " << blame.reason;
  text << ": " << said;
  const char* reason = blame.different ? "mismatch" : IsTimeout(said) ? "timeout" : "connection";
  return std::make_exception_ptr(DistributedFailure(text.str(), reason, blame.ranks));
}

Group::Group(std::shared_ptr<World> world, std::string name, std::vector<int> ranks)
    : world_(std::move(world)), name_(std::move(name)), ranks_(std::move(ranks)) {
  const WorldOptions& options = world_->options();
  const int rank = RankInGroup(options.rank, "rank");
  // The prefixes of PyTorch's init_process_group and new_group: processes of Python can take part.
  c10::intrusive_ptr<c10d::Store> store =
      c10::make_intrusive<c10d::PrefixStore>("default_pg", world_->store()->clone());
  store = c10::make_intrusive<c10d::PrefixStore>(kWorldName, store);
  if (name_ + "/" != kWorldName) store = c10::make_intrusive<c10d::PrefixStore>(name_ + "/", store);
  store->setTimeout(options.timeout);
  const std::string host =
      options.interface.empty() && IsLoopback(options.address.host) ? "127.0.0.1" : std::string();
  // Who of the group is a process of dyconv: all keys are there when all have connected.
  c10d::Store& keys = *world_->store();
  keys.set(MemberKey(name_, options.rank), std::string("1"));
  try {
    const auto gloo = ConnectGloo(c10::make_intrusive<c10d::PrefixStore>("cpu/", store), rank, size(),
                                  options.timeout, host, options.interface);
    if constexpr (kGroupsAgreeOnSequenceNumbers) gloo->setSequenceNumberForGroup();
    std::vector<std::string> members;
    for (const int member : ranks_) members.push_back(MemberKey(name_, member));
    backend_ = c10::make_intrusive<WatchedBackend>(
        gloo, name_, ranks_, /*compare=*/keys.check(members), world_->health(),
        [known = world_, of = ranks_](const std::exception_ptr& error, const GroupCall& call) {
          return known->Explained(error, call, of);
        });
  } catch (const std::exception&) {
    const std::exception_ptr error = std::current_exception();
    world_->CheckRefusals();
    std::rethrow_exception(world_->Explained(error, {name_, 0, "initProcessGroup"}, ranks_));
  }
  process_group_ = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size());
  process_group_->setDefaultBackend(c10d::ProcessGroup::GLOO);
  process_group_->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::GLOO, backend_);
  process_group_->setGroupName(name_);
}

void Group::Close() {
  process_group_.reset();
  backend_.reset();
}

c10d::Backend& Group::backend() const {
  Require(backend_.defined(), ErrorKind::kDisposed,
          "Expected a live process group but received one that was destroyed");
  return *backend_;
}

std::vector<LoggedCall> Group::Calls() const { return static_cast<WatchedBackend&>(backend()).Calls(); }

int Group::RankInGroup(int64_t rank, const char* argument) const {
  const auto found = std::find(ranks_.begin(), ranks_.end(), rank);
  Require(found != ranks_.end(), ErrorKind::kArgument, "Expected a rank of the group for ", argument,
          " but received ", rank);
  return static_cast<int>(found - ranks_.begin());
}

void Group::Rethrow(const char* call) const {
  std::rethrow_exception(world_->Explained(std::current_exception(), {name_, 0, call}, ranks_));
}

}  // namespace dyconv
