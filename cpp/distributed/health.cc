#include "distributed/health.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include <c10/util/Exception.h>

#include "typed_error.h"

namespace dyconv {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBeat{500};
constexpr milliseconds kSample{1250};    // longer than two beats
constexpr milliseconds kAnswer{3000};    // of the store, before it is regarded as lost
constexpr milliseconds kFarewell{3000};  // that rank 0, which has the store, waits for the others to look

std::string AliveKey(int rank) { return "dyconv/alive/" + std::to_string(rank); }
std::string FailedKey(int rank) { return "dyconv/failed/" + std::to_string(rank); }

// What a process writes of itself.
struct Pulse {
  int64_t beat = 0;
  std::map<std::string, GroupCall> last;  // call, by group

  std::string Text() const {
    std::string text = std::to_string(beat);
    for (const auto& [group, call] : last)
      text += " " + group + " " + std::to_string(call.number) + " " + call.text;
    return text;
  }
  static Pulse Of(const std::string& text) {
    Pulse pulse;
    std::istringstream in(text);
    in >> pulse.beat;
    for (GroupCall call; in >> call.group >> call.number >> call.text;) pulse.last[call.group] = call;
    return pulse;
  }
  GroupCall LastOf(const std::string& group) const {
    const auto found = last.find(group);
    return found == last.end() ? GroupCall{} : found->second;
  }
};

constexpr int64_t kLeft = -1;  // the beat of a process that has left the group

std::map<int, Pulse> PulsesOf(c10d::Store& store, const std::vector<int>& ranks) {
  std::map<int, Pulse> pulses;
  for (const int rank : ranks)
    if (store.check({AliveKey(rank)})) pulses[rank] = Pulse::Of(store.get_to_str(AliveKey(rank)));
  return pulses;
}

std::string RanksText(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (const int rank : ranks) text += (rank == ranks.front() ? "" : ", ") + std::to_string(rank);
  return text;
}

// The first of the explanations that fits: who does not live, who has left, who made another call, who has
// not made it, of whom nothing is known: processes that have not come, and those of Python.
Blame Judge(std::map<int, Pulse> before, const std::map<int, Pulse>& after, const std::vector<int>& failed,
            const GroupCall& call, const std::vector<int>& ranks) {
  Blame dead, left, late, different, silent;
  for (const int rank : ranks)
    if (!after.contains(rank)) silent.ranks.push_back(rank);
  for (const auto& [rank, pulse] : after) {
    if (pulse.beat == kLeft) {
      left.ranks.push_back(rank);
    } else if (before.contains(rank) && before[rank].beat == pulse.beat) {
      // A process that reported its own failure has ended for that reason.
      if (std::find(failed.begin(), failed.end(), rank) == failed.end()) dead.ranks.push_back(rank);
    } else if (const GroupCall theirs = pulse.LastOf(call.group); theirs.number < call.number) {
      late.ranks.push_back(rank);
    } else if (call.number > 0 && theirs.number == call.number && theirs.text != call.text) {
      different.ranks.push_back(rank);
      different.reason = RanksText(different.ranks) + " called " + theirs.text + " instead";
      different.different = true;
    }
  }
  const auto are = [](const Blame& blame, const char* one, const char* many) {
    return blame.ranks.size() == 1 ? one : many;
  };
  if (!dead.ranks.empty()) {
    dead.reason = RanksText(dead.ranks) + are(dead, " gives", " give") + " no sign of life";
    return dead;
  }
  if (!left.ranks.empty()) {
    left.reason = RanksText(left.ranks) + are(left, " has", " have") + " left the group";
    return left;
  }
  if (!different.ranks.empty()) return different;
  if (!late.ranks.empty()) {
    late.reason = RanksText(late.ranks) + are(late, " has", " have") + " not made this call yet";
    return late;
  }
  if (!silent.ranks.empty()) silent.reason = "nothing was heard of " + RanksText(silent.ranks);
  return silent;
}

}  // namespace

struct Health::State {
  State(c10d::Store& store, int own) : beats(store.clone()), looks(store.clone()), rank(own) {}

  // Separate connections: a missing answer does not delay other calls.
  const c10::intrusive_ptr<c10d::Store> beats;  // used by the thread of Beat()
  const c10::intrusive_ptr<c10d::Store> looks;  // used by that of Find()
  const int rank;
  std::mutex mutex;  // of the rest
  std::condition_variable wake;
  Pulse pulse;
  bool failed = false;
  bool stopping = false;
  bool ended = false;
};

Health::Health(c10d::Store& store, int rank) : state_(std::make_shared<State>(store, rank)) {
  state_->beats->set(AliveKey(rank), state_->pulse.Text());
  std::thread([state = state_] { Beat(state); }).detach();
}

void Health::Beat(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  const auto tell = [&] {
    const std::string text = state->pulse.Text();
    lock.unlock();
    state->beats->set(AliveKey(state->rank), text);
    lock.lock();
  };
  try {
    while (!state->stopping) {
      ++state->pulse.beat;
      tell();
      state->wake.wait_for(lock, kBeat, [&] { return state->stopping; });
    }
    state->pulse.beat = kLeft;
    if (!state->failed) tell();
  } catch (const std::exception&) {
    // The store is gone, with rank 0. A call that fails for that finds out.
    if (!lock.owns_lock()) lock.lock();
  }
  state->ended = true;
  state->wake.notify_all();
}

Health::~Health() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->wake.notify_all();
  // With a limit: the connection may hang.
  state_->wake.wait_for(lock, kAnswer, [this] { return state_->ended; });
}

GroupCall Health::Begin(const std::string& group, std::string text) {
  std::lock_guard lock(state_->mutex);
  GroupCall& last = state_->pulse.last[group];
  last = {group, last.number + 1, std::move(text)};
  return last;
}

Blame Health::Find(const GroupCall& call, const std::vector<int>& ranks) const {
  struct Answer {
    std::mutex mutex;
    std::condition_variable given;
    bool is_given = false, failed = false;
    Blame blame;
  };
  const auto answer = std::make_shared<Answer>();
  // On a separate thread: the store does not answer if rank 0 was stopped.
  std::thread([state = state_, answer, call, ranks] {
    Blame blame;
    bool lost = false;
    try {
      const c10::intrusive_ptr<c10d::Store>& store = state->looks;
      store->set(FailedKey(state->rank), call.text);
      const auto before = PulsesOf(*store, ranks);
      std::this_thread::sleep_for(kSample);
      const auto after = PulsesOf(*store, ranks);
      std::vector<int> failed;
      for (const int rank : ranks)
        if (store->check({FailedKey(rank)})) failed.push_back(rank);
      blame = Judge(before, after, failed, call, ranks);
      // The store ends with this process: first let the others look into it.
      for (milliseconds waited{0}; state->rank == 0 && waited < kFarewell; waited += kBeat) {
        size_t done = blame.ranks.size();
        for (const int rank : ranks) done += store->check({FailedKey(rank) + "/looked"}) ? 1 : 0;
        if (done + 1 >= ranks.size()) break;
        std::this_thread::sleep_for(kBeat);
      }
      store->set(FailedKey(state->rank) + "/looked", std::string("1"));
    } catch (const std::exception&) {
      lost = true;
    }
    std::lock_guard lock(answer->mutex);
    answer->blame = std::move(blame);
    answer->failed = lost;
    answer->is_given = true;
    answer->given.notify_all();
  }).detach();
  {
    std::lock_guard lock(state_->mutex);
    state_->failed = true;
  }
  std::unique_lock lock(answer->mutex);
  const milliseconds limit = kSample + kAnswer + (state_->rank == 0 ? kFarewell : milliseconds(0));
  answer->given.wait_for(lock, limit, [&] { return answer->is_given; });
  if (answer->is_given && !answer->failed) return answer->blame;
  if (state_->rank == 0) return {};
  return {{0}, "rank 0, which has the store, cannot be reached"};
}

}  // namespace dyconv
