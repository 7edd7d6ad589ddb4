// Process groups as JavaScript holds them, and promises for what waits for other processes.
#pragma once

#include <memory>
#include <utility>

#include "distributed/group.h"
#include "distributed/wait_lane.h"
#include "napi/native_object.h"

namespace dyconv {

struct HeldWorld {
  std::shared_ptr<World> world;
};
struct HeldGroup {
  std::shared_ptr<Group> group;
};

template <>
inline constexpr ObjectType kObjectType<HeldWorld> = {"a world of openWorld()",
                                                      {0x4c1b52d96af8e07b, 0x9d3e6c8215a74f30}};
template <>
inline constexpr ObjectType kObjectType<HeldGroup> = {"a group of joinGroup()",
                                                      {0x71f6a90c2e8b4d35, 0xe508d7134bc9a26f}};

using SharedWorld = std::shared_ptr<const HeldWorld>;
using SharedGroup = std::shared_ptr<const HeldGroup>;

// Runs `work`, which gets the lane for its waits, and resolves to what `finish` makes of it.
template <class Work, class Finish>
Napi::Value OnLane(Call& call, Work work, Finish finish) {
  const std::shared_ptr<WaitLane> lane = WaitLane::Take();
  return call.data.distributed.Run(call.env, call.Name(),
                                   [lane, work = std::move(work)] {
                                     struct Returned {
                                       const std::shared_ptr<WaitLane>& lane;
                                       ~Returned() { WaitLane::Give(lane); }
                                     } returned{lane};
                                     work(*lane);
                                   },
                                   std::move(finish), {.lane = lane, .retry = false});
}

inline Napi::Value Nothing(Napi::Env env) { return env.Undefined(); }

// Converts `result` on the JavaScript thread.
template <class Result>
auto ToResult(const Call& call, Result result) {
  return [signature = call.signature, result = std::move(result)](Napi::Env env) -> Napi::Value {
    return ToJs(Call{env, AddonData::Of(env), signature, nullptr}, result);
  };
}

}  // namespace dyconv
