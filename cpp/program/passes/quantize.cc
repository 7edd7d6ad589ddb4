// Convolutions and linear layers in int8: activations between two of them stay uint8, and are converted at
// the borders.
#include "program/passes/quantize.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "ops/inference/int8.h"
#include "program/passes/passes.h"
#include "program/passes/pattern.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// Steps whose results are elements of the first argument, and have its range.
constexpr auto kSameRange =
    std::to_array<std::string_view>({"flatten", "fusedMaxPool2d", "reshape", "squeeze", "unsqueeze"});

bool KeepsRange(const Step& step) {
  return std::ranges::any_of(kSameRange, [&](std::string_view name) { return Is(step, name); });
}

// A fused step that has a form in int8.
struct Layer {
  size_t step;
  int64_t weight;  // slot
};

class Quantizer {
 public:
  explicit Quantizer(Graph& graph)
      : graph_(graph),
        makers_(graph.slots.size(), -1),
        users_(graph.slots.size()),
        roots_(graph.slots.size()) {
    std::iota(roots_.begin(), roots_.end(), 0);
    for (size_t i = 0; i < graph.steps.size(); ++i) {
      for (const int64_t result : graph.steps[i].results)
        if (result >= 0) makers_[result] = static_cast<int64_t>(i);
      const int64_t kept = KeptBy(graph.steps[i]);
      if (kept >= 0) roots_[graph.steps[i].results[0]] = roots_[kept];
      for (const int64_t slot : SlotsIn(graph.steps[i].arguments)) users_[slot].push_back(i);
    }
    for (const int64_t slot : SlotsIn(graph.output)) outputs_.insert(slot);
    for (size_t i = 0; i < graph.steps.size(); ++i)
      if (const auto weight = WeightOf(graph.steps[i])) layers_.emplace(ResultOf(i), Layer{i, *weight});
  }

  std::vector<QuantizableLayer> Layers() const {
    std::vector<QuantizableLayer> list;
    const std::set<int64_t> needed = NeededLayers(), first = FirstLayers(), last = LastLayers();
    for (const Step& step : graph_.steps) {
      if (!IsLayer(step) || !needed.contains(step.results[0])) continue;
      const int64_t result = step.results[0];
      list.push_back({result, RootOf(SlotOf(step.arguments[0])), PathOf(layers_.at(result).weight),
                      first.contains(result), last.contains(result)});
    }
    return list;
  }

  void Run(const Quantization& quantization) {
    for (const auto& [slot, params] : quantization.ranges) params_[slot] = params;
    for (const int64_t result : quantization.layers) {
      const auto layer = layers_.find(result);
      Require(layer != layers_.end(), ErrorKind::kArgument,
              "Expected layers with a form in int8 for the program but received one without");
      const int64_t root = RootOf(SlotOf(graph_.steps[layer->second.step].arguments[0]));
      Require(params_.contains(root), ErrorKind::kArgument,
              "Expected a range of the input of each layer in int8 but received none");
      chosen_.insert(result);
    }
    FindBytes();
    const size_t count = graph_.steps.size();
    std::vector<Step> steps;
    for (size_t i = 0; i < count; ++i) {
      const int64_t result = graph_.steps[i].results.empty() ? -1 : graph_.steps[i].results[0];
      if (chosen_.contains(result)) {
        Replace(i, layers_.at(result).weight, steps);
      } else {
        steps.push_back(graph_.steps[i]);
        KeepBytes(steps.back());
      }
    }
    graph_.steps = std::move(steps);
    graph_.RemoveUnused();
  }

 private:
  int64_t ResultOf(size_t step) const { return graph_.steps[step].results[0]; }

  const Step* MakerOf(int64_t slot) const {
    return slot < 0 || makers_[slot] < 0 ? nullptr : &graph_.steps[makers_[slot]];
  }

  // The weight of a step that has a form in int8.
  std::optional<int64_t> WeightOf(const Step& step) const {
    int64_t weight = -1;
    if (Is(step, "fusedConv2d")) weight = PackedFrom(SlotOf(step.arguments[8]));
    if (Is(step, "fusedLinear")) weight = PackedFrom(SlotOf(step.arguments[4]));
    if (Is(step, "fusedDynamicConv2d")) weight = SlotOf(step.arguments[1]);
    if (weight < 0 || SlotOf(step.arguments[0]) < 0) return std::nullopt;
    const auto sizes = FixedSizes(graph_, weight);
    if (!sizes) return std::nullopt;
    const bool has_experts = sizes->size() == 5;
    return FitsInt8({sizes->begin() + has_experts, sizes->end()}) ? std::optional(weight) : std::nullopt;
  }

  int64_t PackedFrom(int64_t slot) const {
    const Step* maker = MakerOf(slot);
    return maker == nullptr ? -1 : SlotOf(maker->arguments[0]);
  }

  // The path of the layer whose weight is in a slot: its key without the last part.
  std::string PathOf(int64_t weight) const {
    for (const Step* maker = MakerOf(weight); maker != nullptr && !maker->pinned; maker = MakerOf(weight)) {
      weight = maker->arguments.empty() ? -1 : SlotOf(maker->arguments[0]);
      if (weight < 0) return {};
    }
    const std::string& name = graph_.slots[weight].name;
    const size_t dot = name.rfind('.');
    return dot == std::string::npos ? std::string() : name.substr(0, dot);
  }

  // The slot whose elements the result of a step has, or -1.
  static int64_t KeptBy(const Step& step) {
    return KeepsRange(step) && !step.results.empty() && step.results[0] >= 0 ? SlotOf(step.arguments[0]) : -1;
  }

  // The value whose elements a slot has.
  int64_t RootOf(int64_t slot) const { return slot < 0 ? slot : roots_[slot]; }

  // Whether a step reads one of the slots; of a layer only the input counts.
  bool Reads(const Step& step, const std::set<int64_t>& slots) const {
    if (IsLayer(step)) return slots.contains(SlotOf(step.arguments[0]));
    const std::vector<int64_t> inputs = SlotsIn(step.arguments);
    return std::ranges::any_of(inputs, [&](int64_t input) { return slots.contains(input); });
  }
  bool IsLayer(const Step& step) const { return !step.results.empty() && layers_.contains(step.results[0]); }

  // Results of the layers with no other layer before them.
  std::set<int64_t> FirstLayers() const {
    std::set<int64_t> first, behind;
    for (const Step& step : graph_.steps) {
      const bool is_layer = IsLayer(step), is_behind = Reads(step, behind);
      if (is_layer && !is_behind) first.insert(step.results[0]);
      if (is_layer || is_behind) behind.insert(step.results.begin(), step.results.end());
    }
    return first;
  }

  // Results of those with none after them.
  std::set<int64_t> LastLayers() const {
    std::set<int64_t> last, before;
    for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step) {
      const bool is_layer = IsLayer(*step);
      const bool is_before =
          std::ranges::any_of(step->results, [&](int64_t result) { return before.contains(result); });
      if (is_layer && !is_before) last.insert(step->results[0]);
      if (!is_layer && !is_before) continue;
      for (const int64_t slot : SlotsIn(step->arguments)) before.insert(slot);
    }
    return last;
  }

  // Layers that the output depends on, except those that only attentions depend on.
  std::set<int64_t> NeededLayers() const {
    std::set<int64_t> needed = outputs_, layers;
    for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step) {
      if (std::ranges::none_of(step->results, [&](int64_t result) { return needed.contains(result); }))
        continue;
      const bool is_dynamic = Is(*step, "fusedDynamicConv2d") || Is(*step, "fusedDynamicDepthwiseConv2d") ||
                              Is(*step, "dynamicConv2d");
      const int64_t attention = is_dynamic ? SlotOf(step->arguments[2]) : -1;
      for (const int64_t slot : SlotsIn(step->arguments))
        if (slot != attention) needed.insert(slot);
      if (!step->results.empty() && layers_.contains(step->results[0])) layers.insert(step->results[0]);
    }
    return layers;
  }

  // Whether the sums of an image's channels fit into int32.
  bool HasFewPixels(int64_t slot) const {
    const auto& sizes = graph_.slots[slot].sizes;
    if (!sizes || sizes->size() != 4 || (*sizes)[2].factor != 0 || (*sizes)[3].factor != 0) return false;
    const double pixels = static_cast<double>((*sizes)[2].offset) * static_cast<double>((*sizes)[3].offset);
    return pixels <= kMostInt8Pixels;
  }

  // Finds the slots whose values are read as uint8 only. From the last step to the first: what a reshape
  // takes depends on what reads its result, and a file may have a long chain of them.
  void FindBytes() {
    takes_bytes_.assign(roots_.size(), false);
    for (auto step = graph_.steps.rbegin(); step != graph_.steps.rend(); ++step)
      for (const int64_t result : step->results)
        if (result >= 0) takes_bytes_[result] = ReadAsBytes(result);
  }

  bool ReadAsBytes(int64_t slot) const {
    if (outputs_.contains(slot)) return false;
    return std::ranges::all_of(users_[slot], [&](size_t user) {
      const Step& step = graph_.steps[user];
      if (step.pinned || step.results.empty()) return false;
      if (KeepsRange(step)) return KeptBy(step) == slot && takes_bytes_[step.results[0]];
      if (Is(step, "channelMeans")) return HasFewPixels(slot);
      if (!chosen_.contains(step.results[0])) return false;
      for (size_t i = 0; i < step.arguments.size(); ++i) {
        const bool takes = i == 0 || (i == 3 && !Is(step, "fusedDynamicConv2d"));  // input, residual
        if (SlotOf(step.arguments[i]) == slot && !takes) return false;
      }
      return true;
    });
  }

  // Whether a slot holds uint8: the result of a layer in int8, and what has its elements.
  bool IsNarrow(int64_t slot) const {
    const int64_t root = RootOf(slot);
    return chosen_.contains(root) && params_.contains(root) && takes_bytes_[root];
  }

  // Has a step between layers take uint8, where its input is.
  void KeepBytes(Step& step) {
    const int64_t input = step.arguments.empty() ? -1 : SlotOf(step.arguments[0]);
    if (input < 0 || !IsNarrow(input)) return;
    if (Is(step, "channelMeans")) {
      step.operation = FindOperation("int8ChannelMeans");
      step.arguments.push_back(Params(params_.at(RootOf(input))));
      return;
    }
    if (Is(step, "fusedMaxPool2d")) step.operation = FindOperation("int8MaxPool2d");
    graph_.slots[step.results[0]].dtype = at::kByte;
  }

  static Value Params(const std::array<double, 2>& params) {
    return List{params[0], static_cast<int64_t>(params[1])};
  }

  // A slot as uint8.
  Value Bytes(int64_t slot, std::vector<Step>& steps) {
    if (IsNarrow(slot)) return Slot{slot};
    const auto found = quantized_.find(slot);
    if (found != quantized_.end()) return Slot{found->second};
    const int64_t bytes = graph_.AddValueLike(slot);
    graph_.slots[bytes].dtype = at::kByte;
    steps.push_back(MakeStep("quantize", {Slot{slot}, Params(params_.at(RootOf(slot)))}, {bytes}));
    quantized_[slot] = bytes;
    return Slot{bytes};
  }

  // Puts the form in int8 of a fused step behind `steps`.
  void Replace(size_t index, int64_t weight, std::vector<Step>& steps) {
    const Step step = graph_.steps[index];
    const List& a = step.arguments;
    const int64_t input = SlotOf(a[0]), result = step.results[0];
    List made = {Bytes(input, steps), Params(params_.at(RootOf(input))), Value()};
    if (IsNarrow(result)) {
      made.back() = Params(params_.at(result));
      graph_.slots[result].dtype = at::kByte;
    }
    const auto add = [&](std::initializer_list<Value> values) { made.insert(made.end(), values); };
    std::string_view name = "int8Linear";
    if (Is(step, "fusedDynamicConv2d")) {
      name = "int8DynamicConv2d";
      const std::vector<int64_t> sizes = *FixedSizes(graph_, weight);
      List size;
      for (size_t d = 1; d < sizes.size(); ++d) size.push_back(sizes[d]);
      const int64_t experts = AddUnknown(graph_), scales = AddUnknown(graph_);
      steps.push_back(MakeStep("packInt8Experts", {Slot{weight}, a[7]}, {experts, scales}));
      add({size, a[2], a[3], a[4], a[5], a[6], a[7], Slot{experts}, Slot{scales}});
    } else {
      const bool is_conv = Is(step, "fusedConv2d");
      const int64_t residual = SlotOf(a[3]);
      const bool narrow = residual >= 0 && IsNarrow(residual);
      add({a[1], a[2], a[3], narrow ? Params(params_.at(RootOf(residual))) : Value()});
      if (is_conv) {
        name = "int8Conv2d";
        add({a[4], a[5], a[6]});
      }
      const Value dilation = is_conv ? a[6] : Value(List{1, 1});
      const int64_t packed = AddUnknown(graph_), scales = AddUnknown(graph_), sums = AddUnknown(graph_);
      steps.push_back(MakeStep("packInt8", {Slot{weight}, dilation}, {packed, scales, sums}));
      add({Slot{packed}, Slot{scales}, Slot{sums}, is_conv ? a[10] : a[5]});
    }
    steps.push_back(MakeStep(name, std::move(made), {result}));
    steps.back().place = step.place;
  }

  Graph& graph_;
  std::vector<int64_t> makers_;             // steps by slot
  std::vector<std::vector<size_t>> users_;  // the same
  std::vector<int64_t> roots_;              // by slot
  std::vector<bool> takes_bytes_;           // by slot, of the results of steps
  std::set<int64_t> outputs_;
  std::map<int64_t, Layer> layers_;  // by the slot of the result
  std::set<int64_t> chosen_;         // results of the layers in int8
  std::map<int64_t, std::array<double, 2>> params_;
  std::map<int64_t, int64_t> quantized_;  // slots as uint8
};

}  // namespace

std::vector<QuantizableLayer> QuantizableLayers(const Graph& graph) {
  Graph copy = graph;
  return Quantizer(copy).Layers();
}

void QuantizeLayers(Graph& graph, const Quantization& quantization) { Quantizer(graph).Run(quantization); }

}  // namespace dyconv
