// Convolutions and linear layers with what follows them as one step each: batch norm in evaluation mode goes
// into the weights, the addition of another tensor and the activation into the last step of the kernel.
// Weights are packed by steps that run once.
#include <algorithm>
#include <utility>

#include "ops/activation.h"
#include "ops/inference/fused_conv.h"
#include "program/passes/passes.h"
#include "program/passes/pattern.h"

namespace dyconv {
namespace {

// The steps that a fused step replaces, in order: the layer first.
struct Chain {
  size_t layer;  // index of the steps
  std::optional<size_t> norm;
  std::optional<size_t> add;
  int64_t residual = -1;  // slot
  std::optional<size_t> activation;
  size_t last;  // the position of the fused step: all that it reads exists there

  std::string activation_name(const Graph& graph) const {
    return activation ? graph.steps[*activation].operation->Name() : "none";
  }
};

class Fuser {
 public:
  explicit Fuser(Graph& graph) : graph_(graph), fixed_(FixedSlots(graph)), users_(graph.slots.size()) {
    for (size_t i = 0; i < graph.steps.size(); ++i)
      for (const int64_t slot : SlotsIn(graph.steps[i].arguments)) users_[slot].push_back(i);
    // What leaves the program is not to be merged away.
    for (const int64_t slot : SlotsIn(graph.output)) users_[slot].insert(users_[slot].end(), 2, 0);
    replaced_.resize(graph.steps.size());
  }

  void Run() {
    const size_t count = graph_.steps.size();
    std::vector<std::vector<Step>> made(count);
    for (size_t i = 0; i < count; ++i) {
      if (replaced_[i]) continue;
      if (Is(graph_.steps[i], "conv2d"))
        FuseConv(i, made);
      else if (Is(graph_.steps[i], "linear"))
        FuseLinear(i, made);
      else if (Is(graph_.steps[i], "dynamicConv2d"))
        FuseDynamicConv(i, made);
    }
    std::vector<Step> steps;
    for (size_t i = 0; i < count; ++i) {
      for (Step& step : made[i]) steps.push_back(std::move(step));
      if (!replaced_[i]) steps.push_back(std::move(graph_.steps[i]));
    }
    graph_.steps = std::move(steps);
    graph_.RemoveUnused();
  }

 private:
  using Made = std::vector<std::vector<Step>>;

  const List& Arguments(size_t step) const { return graph_.steps[step].arguments; }
  bool IsFixedOrNull(const Value& value) const { return value.IsNull() || IsFixed(value); }
  bool IsFixed(const Value& value) const { return SlotOf(value) >= 0 && fixed_[SlotOf(value)]; }

  // The only step that uses the result of another one.
  std::optional<size_t> OnlyUser(size_t step) const {
    const auto& results = graph_.steps[step].results;
    if (results.size() != 1 || results[0] < 0 || users_[results[0]].size() != 1) return std::nullopt;
    const size_t user = users_[results[0]][0];
    return graph_.steps[user].pinned || replaced_[user] ? std::nullopt : std::optional(user);
  }

  bool IsFoldable(size_t step, int64_t input) const {
    const List& a = Arguments(step);
    if (!Is(graph_.steps[step], "batchNorm") || SlotOf(a[0]) != input) return false;
    const bool* training = a[5].As<bool>();
    return training != nullptr && !*training && IsFixedOrNull(a[1]) && IsFixedOrNull(a[2]) && IsFixed(a[3]) &&
           IsFixed(a[4]);
  }

  // The slot that an addition adds to `input`, where the result has the sizes of both; else -1.
  int64_t Addend(size_t step, int64_t input) const {
    const List& a = Arguments(step);
    if (!Is(graph_.steps[step], "add") || a[2].ToString() != "1") return -1;
    const int64_t first = SlotOf(a[0]), second = SlotOf(a[1]);
    const int64_t other = first == input ? second : first;
    if (first == second || other < 0) return -1;
    const SlotInfo &one = graph_.slots[input], &two = graph_.slots[other];
    const bool same =
        one.sizes && two.sizes && *one.sizes == *two.sizes && one.dtype == two.dtype && two.device.is_cpu();
    return same ? other : -1;
  }

  Chain Follow(size_t layer, bool can_fold, bool can_add) const {
    Chain chain;
    chain.layer = chain.last = layer;
    for (auto next = OnlyUser(layer); next; next = OnlyUser(chain.last)) {
      const int64_t input = graph_.steps[chain.last].results[0];
      if (can_fold && !chain.norm && !chain.add && IsFoldable(*next, input)) {
        chain.norm = next;
      } else if (const int64_t addend = can_add && !chain.add ? Addend(*next, input) : -1; addend >= 0) {
        chain.add = next;
        chain.residual = addend;
      } else if (IsActivation(*next)) {
        chain.activation = next;
        chain.last = *next;
        break;
      } else {
        break;
      }
      chain.last = *next;
    }
    return chain;
  }

  bool IsActivation(size_t step) const {
    const Step& s = graph_.steps[step];
    if (Is(s, "gelu") && s.arguments[1].ToString() != "'none'") return false;  // the approximation
    return std::ranges::any_of(kActivationNames, [&](const auto& entry) { return Is(s, entry.first); });
  }

  // The weight and the bias with the batch norm of the chain, as slots or null. `dim`: of the output
  // channels.
  std::pair<Value, Value> Fold(const Chain& chain, const Value& weight, const Value& bias, int64_t dim,
                               int64_t experts, std::vector<Step>& steps) {
    if (!chain.norm) return {weight, bias};
    const List norm = Arguments(*chain.norm);
    const Value eps = norm[7];
    const int64_t folded = AddStep(graph_, steps, "foldWeight", {weight, norm[1], norm[4], eps, dim});
    graph_.slots[folded].sizes = graph_.slots[SlotOf(weight)].sizes;  // the listing counts operations by them
    const int64_t shift =
        AddStep(graph_, steps, "foldBias", {bias, norm[1], norm[2], norm[3], norm[4], eps, experts});
    return {Slot{folded}, Slot{shift}};
  }

  Value Residual(const Chain& chain) const {
    return chain.residual < 0 ? Value() : Value(Slot{chain.residual});
  }

  // Puts a step in the place of the chain.
  void Replace(const Chain& chain, std::string_view name, List arguments, std::vector<Step> steps,
               Made& made) {
    for (const auto& step : {std::optional(chain.layer), chain.norm, chain.add, chain.activation})
      if (step) replaced_[*step] = true;
    steps.push_back(MakeStep(name, std::move(arguments), graph_.steps[chain.last].results));
    steps.back().place = graph_.steps[chain.layer].place;
    made[chain.last] = std::move(steps);
  }

  static Value Sizes(const std::vector<int64_t>& sizes) {
    List list;
    for (const int64_t size : sizes) list.push_back(size);
    return list;
  }
  static Pair PairOf(const Value& value) {
    const List& list = value.Get<List>();
    return {list.at(0).Get<int64_t>(), list.at(1).Get<int64_t>()};
  }
  static Value PairValue(const Pair& pair) { return List{pair[0], pair[1]}; }

  // Height and width of an image, where all runs have the same.
  std::optional<Pair> ImageSize(int64_t slot) const {
    const auto& sizes = graph_.slots[slot].sizes;
    if (!sizes || sizes->size() != 4 || (*sizes)[2].factor != 0 || (*sizes)[3].factor != 0)
      return std::nullopt;
    return Pair{(*sizes)[2].offset, (*sizes)[3].offset};
  }

  // Whether stride, padding and dilation are those of a usual convolution. Files may hold others: the
  // recorded step refuses them, or computes them in its own way.
  static bool AreUsual(const Value& stride, const Value& padding, const Value& dilation) {
    constexpr int64_t kMost = 1 << 12;
    const auto in_range = [](const Value& value, int64_t least) {
      const List* pair = value.As<List>();
      return pair != nullptr && pair->size() == 2 &&
             std::all_of(pair->begin(), pair->end(), [least](const Value& part) {
               const int64_t* number = part.As<int64_t>();
               return number != nullptr && *number >= least && *number <= kMost;
             });
    };
    return in_range(stride, 1) && in_range(padding, 0) && in_range(dilation, 1);
  }

  void FuseConv(size_t step, Made& made) {
    const List a = Arguments(step);
    const auto size = IsFixed(a[1]) ? FixedSizes(graph_, SlotOf(a[1])) : std::nullopt;
    const auto image = SlotOf(a[0]) < 0 ? std::nullopt : ImageSize(SlotOf(a[0]));
    const int64_t groups = a[6].Get<int64_t>();
    if (!size || size->size() != 4 || !image || !IsFixedOrNull(a[2]) ||
        !IsFloatImage(graph_, SlotOf(a[0]), 4) || graph_.slots[SlotOf(a[1])].dtype != at::kFloat ||
        a[7].ToString() != "'auto'" || !AreUsual(a[3], a[4], a[5])) {
      return;
    }
    const bool depthwise = groups > 1 && groups == (*size)[0] && (*size)[1] == 1;
    if (groups != 1 && !depthwise) return;
    const Chain chain = Follow(step, true, true);
    std::vector<Step> steps;
    const auto [weight, bias] = Fold(chain, a[1], a[2], 0, 0, steps);
    const Value padded = Slot{AddStep(graph_, steps, "packBias", {bias, (*size)[0]})};
    const std::string activation = chain.activation_name(graph_);
    if (depthwise) {
      const int64_t packed = AddStep(graph_, steps, "packDepthwise", {weight});
      Replace(chain, "fusedDepthwiseConv2d",
              {a[0], Sizes(*size), activation, Residual(chain), a[3], a[4], a[5], Slot{packed}, padded},
              std::move(steps), made);
      return;
    }
    const Pair tile = WinogradTileFor(*size, *image, PairOf(a[3]), PairOf(a[4]), PairOf(a[5]));
    const int64_t packed = AddStep(graph_, steps, "packConv", {weight});
    Value winograd;
    if (tile[0] > 0) winograd = Slot{AddStep(graph_, steps, "packWinograd", {weight, PairValue(tile)})};
    Replace(chain, "fusedConv2d",
            {a[0], Sizes(*size), activation, Residual(chain), a[3], a[4], a[5], PairValue(tile), Slot{packed},
             winograd, padded},
            std::move(steps), made);
  }

  void FuseLinear(size_t step, Made& made) {
    const List a = Arguments(step);
    const auto size = IsFixed(a[1]) ? FixedSizes(graph_, SlotOf(a[1])) : std::nullopt;
    const int64_t input = SlotOf(a[0]);
    if (!size || size->size() != 2 || !IsFixedOrNull(a[2]) || input < 0 || !graph_.slots[input].sizes ||
        !IsFloatImage(graph_, input, graph_.slots[input].sizes->size()) ||
        graph_.slots[SlotOf(a[1])].dtype != at::kFloat) {
      return;
    }
    const Chain chain = Follow(step, false, true);
    std::vector<Step> steps;
    const int64_t packed = AddStep(graph_, steps, "packConv", {a[1]});
    const int64_t bias = AddStep(graph_, steps, "packBias", {a[2], (*size)[0]});
    Replace(chain, "fusedLinear",
            {a[0], Sizes(*size), chain.activation_name(graph_), Residual(chain), Slot{packed}, Slot{bias}},
            std::move(steps), made);
  }

  // Whether every row of an attention is positive and sums to 1.
  bool GivesShares(int64_t slot) const {
    const Step* maker = graph_.MakerOf(slot);
    return maker != nullptr && Is(*maker, "routing") && maker->arguments.back().ToString() == "'softmax'";
  }

  void FuseDynamicConv(size_t step, Made& made) {
    const List a = Arguments(step);
    const auto size = IsFixed(a[1]) ? FixedSizes(graph_, SlotOf(a[1])) : std::nullopt;
    const auto image = SlotOf(a[0]) < 0 ? std::nullopt : ImageSize(SlotOf(a[0]));
    if (!size || size->size() != 5 || !image || SlotOf(a[2]) < 0 || !IsFixedOrNull(a[3]) ||
        !IsFloatImage(graph_, SlotOf(a[0]), 4) || graph_.slots[SlotOf(a[1])].dtype != at::kFloat ||
        graph_.slots[SlotOf(a[2])].dtype != at::kFloat || a[8].ToString() != "'auto'" ||
        (*size)[0] > kernels::kMaxExperts || !AreUsual(a[4], a[5], a[6])) {
      return;
    }
    const std::vector<int64_t> one(size->begin() + 1, size->end());
    const int64_t groups = a[7].Get<int64_t>();
    const bool depthwise = groups > 1 && groups == one[0] && one[1] == 1;
    if (groups != 1 && !depthwise) return;
    const bool shares = GivesShares(SlotOf(a[2]));
    const Chain chain = Follow(step, shares, depthwise);
    const std::string activation = chain.activation_name(graph_);
    std::vector<Step> steps;
    const auto [weight, bias] = Fold(chain, a[1], a[3], 1, (*size)[0], steps);
    if (depthwise) {
      const int64_t packed = AddStep(graph_, steps, "packDepthwiseExperts", {weight});
      Replace(chain, "fusedDynamicDepthwiseConv2d",
              {a[0], Sizes(one), a[2], activation, Residual(chain), a[4], a[5], a[6], Slot{packed}, bias},
              std::move(steps), made);
      return;
    }
    const Pair tile = WinogradTileFor(one, *image, PairOf(a[4]), PairOf(a[5]), PairOf(a[6]));
    Value winograd, base, packed;
    if (tile[0] > 0) {
      const int64_t panels = AddUnknown(graph_), first = AddUnknown(graph_);
      steps.push_back(MakeStep("packWinogradExperts", {weight, PairValue(tile), shares}, {panels, first}));
      winograd = Slot{panels};
      base = Slot{first};
    }
    if (!WinogradPaysForOne(one, (*size)[0], *image, PairOf(a[4]), PairOf(a[5]), PairOf(a[6]), tile))
      packed = Slot{AddStep(graph_, steps, "packExperts", {weight})};
    Replace(chain, "fusedDynamicConv2d",
            {a[0], weight, a[2], bias, activation, a[4], a[5], a[6], PairValue(tile), winograd, base, packed},
            std::move(steps), made);
  }

  Graph& graph_;
  const std::vector<bool> fixed_;
  std::vector<std::vector<size_t>> users_;  // steps by slot
  std::vector<bool> replaced_;              // by step
};

// Dropout in evaluation mode gives its input.
void RemoveDropout(Graph& graph) {
  for (Step& step : graph.steps) {
    const bool known = Is(step, "dropout") || Is(step, "featureDropout");
    const bool* training = known ? step.arguments[2].As<bool>() : nullptr;
    const int64_t input = known ? SlotOf(step.arguments[0]) : -1;
    if (training == nullptr || *training || input < 0 || step.results.size() != 1 || step.results[0] < 0)
      continue;
    if (step.results[0] != input) graph.ReplaceUses(step.results[0], input);
    step.operation = nullptr;
  }
  std::erase_if(graph.steps, [](const Step& step) { return step.operation == nullptr; });
}

}  // namespace

void FuseLayers(Graph& graph) {
  RemoveDropout(graph);
  Fuser(graph).Run();
}

}  // namespace dyconv
