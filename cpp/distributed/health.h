// The status that the processes of a group exchange through the store: each writes twice a
// second that it lives, and which call it has reached. A process whose call fails looks who is to blame.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace dyconv {

// A collective call on a group. All processes of the group make the same calls in the same order.
struct GroupCall {
  std::string group;   // its name
  int64_t number = 0;  // of the calls on the group; 0: not a collective call
  std::string text;    // what is called, without spaces: all processes call the same
};

struct Blame {
  std::vector<int> ranks;
  std::string reason;      // a sentence about them; empty if nothing is known
  bool different = false;  // they made another call
};

class Health {
 public:
  Health(c10d::Store& store, int rank);
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;
  // Informs the others that this process leaves.
  ~Health();

  // Notes a collective call that begins, and gives it its number.
  GroupCall Begin(const std::string& group, std::string text);

  // Who made a call fail, as far as the store says. Takes about two seconds. `ranks`: those of the group.
  Blame Find(const GroupCall& call, const std::vector<int>& ranks) const;

 private:
  struct State;
  static void Beat(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace dyconv
