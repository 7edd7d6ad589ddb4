// Images between fused convolutions are channels last. Steps that would mind are changed, and those that
// would otherwise go back to planes are replaced by forms that do not.
#include <algorithm>
#include <array>

#include "program/passes/passes.h"
#include "program/passes/pattern.h"

namespace dyconv {
namespace {

bool IsOneByOne(const Graph& graph, int64_t slot) {
  const auto& sizes = graph.slots[slot].sizes;
  return sizes && sizes->size() == 4 && (*sizes)[2] == Affine{0, 1} && (*sizes)[3] == Affine{0, 1};
}

// Whether `scale` is one number for every channel of `image`.
bool ScalesChannels(const Graph& graph, int64_t image, int64_t scale) {
  if (!IsFloatImage(graph, image, 4) || !IsFloatImage(graph, scale, 4) || !IsOneByOne(graph, scale))
    return false;
  const auto &a = *graph.slots[image].sizes, &b = *graph.slots[scale].sizes;
  return a[0] == b[0] && a[1] == b[1] && !IsOneByOne(graph, image);
}

void ReplacePool(const Graph& graph, Step& step) {
  const int64_t input = step.arguments.empty() ? -1 : SlotOf(step.arguments[0]);
  if (!IsFloatImage(graph, input, 4)) return;
  if (Is(step, "maxPool2d")) step.operation = FindOperation("fusedMaxPool2d");
  if (Is(step, "adaptiveAvgPool2d") && step.arguments[1].ToString() == "[1, 1]") {
    step.operation = FindOperation("channelMeans");
    step.arguments.resize(1);
  }
}

void ReplaceScale(const Graph& graph, Step& step) {
  if (!Is(step, "mul")) return;
  const int64_t first = SlotOf(step.arguments[0]), second = SlotOf(step.arguments[1]);
  if (first < 0 || second < 0) return;
  const bool swapped = ScalesChannels(graph, second, first);
  if (!swapped && !ScalesChannels(graph, first, second)) return;
  if (swapped) std::swap(step.arguments[0], step.arguments[1]);
  step.operation = FindOperation("scaleChannels");
}

// The routing begins with the means of the planes: of images of one pixel they are the pixel.
void SplitRouting(Graph& graph, Step& step, std::vector<Step>& before) {
  if (!Is(step, "routing") || !IsFloatImage(graph, SlotOf(step.arguments[0]), 4)) return;
  const int64_t means = graph.AddValueLike(SlotOf(step.arguments[0]));
  auto& sizes = *graph.slots[means].sizes;
  sizes[2] = sizes[3] = Affine{0, 1};
  before.push_back(MakeStep("channelMeans", {step.arguments[0]}, {means}));
  before.back().place = step.place;
  step.arguments[0] = Slot{means};
}

}  // namespace

bool CanBeChannelsLast(const Graph& graph) {
  // These depend on the memory layout.
  constexpr std::array<std::string_view, 2> kLayoutBound = {"asStrided", "view"};
  return std::ranges::none_of(graph.steps, [&](const Step& step) {
    const std::string name = step.operation->Name();
    return std::ranges::count(kLayoutBound, name) > 0 && (step.pinned || name == "asStrided");
  });
}

void KeepChannelsLast(Graph& graph) {
  std::vector<Step> steps;
  for (Step& step : graph.steps) {
    // A view of an image whose layout has changed may need a copy.
    if (Is(step, "view")) step.operation = FindOperation("reshape");
    ReplacePool(graph, step);
    ReplaceScale(graph, step);
    SplitRouting(graph, step, steps);
    steps.push_back(std::move(step));
  }
  graph.steps = std::move(steps);
}

}  // namespace dyconv
