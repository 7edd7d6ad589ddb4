#include "bindings/bindings.h"

namespace dyconv {

std::vector<const OpTable*> AllTables() {
  return {&TensorOps(), &ShapeOps(), &MathOps(),    &NnOps(),   &DynamicConvOps(),
          &OptimOps(),  &DataOps(),  &RuntimeOps(), &CudaOps(), &AmpOps()};
}

}  // namespace dyconv
