// Process groups: starting them, and their store.
#include "bindings/distributed.h"

#include <algorithm>
#include <utility>

#include "bindings/bindings.h"

namespace dyconv {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{50};

Napi::Value OpenWorld(Call& call, const std::string& host, int64_t port, bool serve, int64_t rank,
                      int64_t size, int64_t timeout, const std::string& interface) {
  const WorldOptions options{
      .address = {host, static_cast<int>(port), serve, static_cast<int>(size)},
      .rank = static_cast<int>(rank),
      .timeout = milliseconds(timeout),
      .interface = interface,
  };
  auto world = std::make_shared<std::shared_ptr<World>>();
  return OnLane(
      call, [options, world](WaitLane&) { *world = std::make_shared<World>(options); },
      [world, signature = call.signature](Napi::Env env) {
        return ToJs(Call{env, AddonData::Of(env), signature, nullptr},
                    std::make_shared<const HeldWorld>(HeldWorld{*world}));
      });
}

Napi::Value JoinGroup(Call& call, const SharedWorld& held, const std::string& name,
                      const std::vector<int64_t>& ranks) {
  const std::vector<int> members(ranks.begin(), ranks.end());
  auto group = std::make_shared<std::shared_ptr<Group>>();
  return OnLane(
      call,
      [world = held->world, name, members, group](WaitLane&) {
        *group = std::make_shared<Group>(world, name, members);
      },
      [group, signature = call.signature](Napi::Env env) {
        return ToJs(Call{env, AddonData::Of(env), signature, nullptr},
                    std::make_shared<const HeldGroup>(HeldGroup{*group}));
      });
}

// Resolves when the connections have ended.
Napi::Value LeaveGroup(Call& call, const SharedGroup& held) {
  return OnLane(
      call, [group = held->group](WaitLane&) { group->Close(); }, Nothing);
}

// Runs `work` with the store; an error of the connection becomes a DistributedFailure.
template <class Work, class Finish>
Napi::Value WithStore(Call& call, const SharedWorld& held, Work work, Finish finish) {
  return OnLane(
      call,
      [world = held->world, work = std::move(work), name = call.Name()](WaitLane& lane) {
        try {
          work(static_cast<c10d::Store&>(*world->store()), lane);
        } catch (const std::exception&) {
          std::rethrow_exception(world->Explained(std::current_exception(), {"", 0, name}, {0}));
        }
      },
      std::move(finish));
}

using Bytes = std::vector<uint8_t>;

Bytes BytesOf(const TypedArray& array) {
  Require(array.type == napi_uint8_array, ErrorKind::kArgument, "Expected a Uint8Array for value");
  const auto* first = static_cast<const uint8_t*>(array.bytes);
  return {first, first + array.length};
}

auto ToBuffer(std::shared_ptr<Bytes> bytes) {
  return [bytes = std::move(bytes)](Napi::Env env) -> Napi::Value {
    return Napi::Buffer<uint8_t>::Copy(env, bytes->data(), bytes->size());
  };
}

// Waits in steps, so that other calls can use the connection.
void WaitForKeys(c10d::Store& store, WaitLane& lane, const std::vector<std::string>& keys,
                 milliseconds timeout) {
  const auto limit = std::chrono::steady_clock::now() + timeout;
  for (milliseconds pause = kFirstPause; !store.check(keys); pause = std::min(2 * pause, kLongestPause)) {
    if (std::chrono::steady_clock::now() >= limit) {
      std::string text;
      for (const std::string& key : keys) text += (text.empty() ? "'" : ", '") + key + "'";
      throw DistributedFailure(
          "The store got no value for " + text + " within " + std::to_string(timeout.count()) + " ms",
          "timeout", {});
    }
    lane.Sleep(pause);
  }
}

Napi::Value StoreSet(Call& call, const SharedWorld& held, const std::string& key, const TypedArray& value) {
  return WithStore(
      call, held, [key, bytes = BytesOf(value)](c10d::Store& store, WaitLane&) { store.set(key, bytes); },
      Nothing);
}

Napi::Value StoreGet(Call& call, const SharedWorld& held, const std::string& key, int64_t timeout) {
  auto bytes = std::make_shared<Bytes>();
  return WithStore(
      call, held,
      [key, timeout, bytes](c10d::Store& store, WaitLane& lane) {
        WaitForKeys(store, lane, {key}, milliseconds(timeout));
        *bytes = store.get(key);
      },
      ToBuffer(bytes));
}

Napi::Value StoreWait(Call& call, const SharedWorld& held, const std::vector<std::string>& keys,
                      int64_t timeout) {
  return WithStore(
      call, held,
      [keys, timeout](c10d::Store& store, WaitLane& lane) {
        WaitForKeys(store, lane, keys, milliseconds(timeout));
      },
      Nothing);
}

Napi::Value StoreCompareSet(Call& call, const SharedWorld& held, const std::string& key,
                            const TypedArray& expected, const TypedArray& desired) {
  auto bytes = std::make_shared<Bytes>();
  return WithStore(
      call, held,
      [key, before = BytesOf(expected), after = BytesOf(desired), bytes](c10d::Store& store, WaitLane&) {
        *bytes = store.compareSet(key, before, after);
      },
      ToBuffer(bytes));
}

// A call of the store that gives a number or a boolean.
template <class Result, class Ask>
Napi::Value StoreAsk(Call& call, const SharedWorld& held, Ask ask) {
  auto result = std::make_shared<Result>();
  return WithStore(
      call, held, [ask = std::move(ask), result](c10d::Store& store, WaitLane&) { *result = ask(store); },
      [result, signature = call.signature](Napi::Env env) -> Napi::Value {
        return ToJs(Call{env, AddonData::Of(env), signature, nullptr}, *result);
      });
}

}  // namespace

const OpTable& DistributedOps() {
  static const OpTable table = {
      Bind("openWorld(host, port, serve, rank, size, timeout, networkInterface)", OpenWorld),
      Bind("worldPort(world)",
           [](const SharedWorld& held) { return static_cast<int64_t>(held->world->store()->getPort()); }),
      Bind("joinGroup(world, name, ranks)", JoinGroup),
      Bind("leaveGroup(group)", LeaveGroup),

      Bind("storeSet(world, key, value)", StoreSet),
      Bind("storeGet(world, key, timeout)", StoreGet),
      Bind("storeWait(world, keys, timeout)", StoreWait),
      Bind("storeCompareSet(world, key, expected, desired)", StoreCompareSet),
      Bind("storeAdd(world, key, amount)",
           [](Call& call, const SharedWorld& held, const std::string& key, int64_t amount) {
             return StoreAsk<int64_t>(call, held, [=](c10d::Store& store) { return store.add(key, amount); });
           }),
      Bind("storeCheck(world, keys)",
           [](Call& call, const SharedWorld& held, const std::vector<std::string>& keys) {
             return StoreAsk<bool>(call, held, [=](c10d::Store& store) { return store.check(keys); });
           }),
      Bind("storeDeleteKey(world, key)",
           [](Call& call, const SharedWorld& held, const std::string& key) {
             return StoreAsk<bool>(call, held, [=](c10d::Store& store) { return store.deleteKey(key); });
           }),
  };
  return table;
}

}  // namespace dyconv
