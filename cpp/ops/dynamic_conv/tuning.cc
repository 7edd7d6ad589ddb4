#include "ops/dynamic_conv/tuning.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <utility>

namespace dyconv {
namespace {

using kernels::DynamicConvShape;
using kernels::cuda::Element;

// The largest product of the ratios between a problem's sizes and those of a row at which the row is used.
constexpr double kMostRatio = 16;

std::array<double, 5> Logs(int64_t batch, int64_t in, int64_t out, double pixels, int64_t experts) {
  const auto log = [](int64_t size) { return std::log(static_cast<double>(size)); };
  return {log(batch), log(in), log(out), std::log(pixels) / 2, log(experts)};
}

bool IsComparable(const TuningRow& row, const DynamicConvShape& s, Element element) {
  return row.element == element && row.groups == s.groups && row.kernel == s.kernel_h &&
         row.kernel == s.kernel_w && row.stride == s.stride_h && row.stride == s.stride_w &&
         s.dilation_h == 1 && s.dilation_w == 1;
}

struct Store {
  std::mutex mutex;
  std::shared_ptr<const TuningTables> tables;
  bool set = false;
  // So that operations take no lock while there is no table.
  std::atomic<bool> any = false;

  static Store& Get() {
    static auto* store = new Store;  // background threads may use it while the process ends
    return *store;
  }
};

}  // namespace

TuningTable::TuningTable(std::string gpu, std::string capability, kernels::cuda::MixSplits splits,
                         std::vector<TuningRow> rows)
    : gpu_(std::move(gpu)), capability_(std::move(capability)), splits_(splits) {
  rows_.reserve(rows.size());
  for (const TuningRow& r : rows) {
    const double pixels = static_cast<double>(r.size) * static_cast<double>(r.size);
    rows_.push_back({r, Logs(r.batch, r.in_channels, r.out_channels, pixels, r.experts)});
  }
}

const TuningTable::Row* TuningTable::Nearest(const DynamicConvShape& s, Element element) const {
  const double pixels = static_cast<double>(s.in_h) * static_cast<double>(s.in_w);
  const auto logs = Logs(s.batch, s.in_channels, s.out_channels, pixels, s.experts);
  // An empty problem is infinitely far from every row.
  const Row* nearest = nullptr;
  // Rows at exactly the limit are near in spite of rounding.
  double least = std::log(kMostRatio) + 1e-9;
  for (const Row& row : rows_) {
    if (!IsComparable(row.measured, s, element)) continue;
    double distance = 0;
    for (size_t i = 0; i < logs.size(); ++i) distance += std::abs(row.logs[i] - logs[i]);
    if (distance < least) least = distance, nearest = &row;
  }
  return nearest;
}

std::vector<DynamicConvAlgorithm> TuningTable::Ranking(const DynamicConvShape& shape, Element element,
                                                       TuningStep step) const {
  const Row* row = Nearest(shape, element);
  if (row == nullptr) return {};
  const auto& ms = row->measured.ms[static_cast<size_t>(step)];
  std::vector<size_t> order;
  for (size_t i = 0; i < ms.size(); ++i)
    if (std::isfinite(ms[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ms[a] < ms[b]; });
  std::vector<DynamicConvAlgorithm> ranking;
  for (const size_t i : order) ranking.push_back(kTunedAlgorithms[i]);
  return ranking;
}

void SetTuningTables(TuningTables tables) {
  auto next = tables.empty() ? nullptr : std::make_shared<const TuningTables>(std::move(tables));
  Store& store = Store::Get();
  const std::lock_guard lock(store.mutex);
  store.any = next != nullptr;
  store.tables = std::move(next);
  store.set = true;
}

bool TuningTablesAreSet() {
  Store& store = Store::Get();
  const std::lock_guard lock(store.mutex);
  return store.set;
}

std::shared_ptr<const TuningTables> CurrentTuningTables() {
  Store& store = Store::Get();
  if (!store.any) return nullptr;
  const std::lock_guard lock(store.mutex);
  return store.tables;
}

const TuningTable* TableFor(const TuningTables& tables, const std::string& gpu,
                            const std::string& capability) {
  for (const TuningTable& table : tables)
    if (table.gpu() == gpu) return &table;
  for (const TuningTable& table : tables)
    if (table.capability() == capability) return &table;
  return nullptr;
}

}  // namespace dyconv
