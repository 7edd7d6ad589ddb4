#include "bindings/bindings.h"

namespace dyconv {

std::vector<const OpTable*> AllTables() {
  return {&TensorOps(),      &CreateOps(),       &AutogradOps(),   &ArithmeticOps(),  &ComparisonOps(),
          &ElementwiseOps(), &ReduceOps(),       &CumulativeOps(), &OrderOps(),       &StatisticsOps(),
          &MatrixOps(),      &LinalgOps(),       &IndexingOps(),   &ScatterOps(),     &ShapeOps(),
          &JoinOps(),        &RandomOps(),       &ConvOps(),       &DynamicConvOps(), &PoolOps(),
          &ResizeOps(),      &NormOps(),         &LinearOps(),     &ActivationOps(),  &LossOps(),
          &OptimOps(),       &GradientsOps(),    &DataOps(),       &ExchangeOps(),    &RuntimeOps(),
          &CudaOps(),        &CompileOps(),      &ProgramsOps(),   &BackgroundOps(),  &DistributedOps(),
          &CollectiveOps(),  &DataParallelOps(), &RecurrentOps()};
}

std::vector<const OpTable*> ProgramTables() {
  return {&TensorOps(), &CreateOps(),      &ArithmeticOps(), &ComparisonOps(), &ElementwiseOps(),
          &ReduceOps(), &CumulativeOps(),  &OrderOps(),      &StatisticsOps(), &MatrixOps(),
          &LinalgOps(), &IndexingOps(),    &ScatterOps(),    &ShapeOps(),      &JoinOps(),
          &ConvOps(),   &DynamicConvOps(), &PoolOps(),       &ResizeOps(),     &NormOps(),
          &LinearOps(), &ActivationOps(),  &LossOps(),       &RecurrentOps()};
}

}  // namespace dyconv
