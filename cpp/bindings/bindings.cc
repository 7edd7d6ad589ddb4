#include "bindings/bindings.h"

namespace dyconv {

std::vector<const OpTable*> AllTables() {
  return {&TensorOps(),   &ShapeOps(),       &MathOps(),  &PointwiseOps(), &ReduceOps(),     &LinalgOps(),
          &IndexOps(),    &RandomOps(),      &NnOps(),    &ConvOps(),      &ActivationOps(), &LossOps(),
          &AutogradOps(), &DynamicConvOps(), &OptimOps(), &OptimMoreOps(), &DataOps(),       &ExchangeOps(),
          &RuntimeOps(),  &CudaOps(),        &AmpOps(),   &JoinOps(),      &StatisticsOps(), &ArithmeticOps(),
          &ScatterOps(),  &PoolOps()};
}

}  // namespace dyconv
