// The tables of operations, one per family, with the same names in lib/native, lib/tensor and test. To add an
// operation, add a line to one of them.
#pragma once

#include "napi/bind.h"

namespace dyconv {

const OpTable& TensorOps();        // tensor.cc
const OpTable& CreateOps();        // create.cc
const OpTable& AutogradOps();      // autograd.cc
const OpTable& BackgroundOps();    // background.cc
const OpTable& ArithmeticOps();    // arithmetic.cc
const OpTable& ComparisonOps();    // comparison.cc
const OpTable& ElementwiseOps();   // elementwise.cc
const OpTable& ReduceOps();        // reduce.cc
const OpTable& CumulativeOps();    // cumulative.cc
const OpTable& OrderOps();         // order.cc
const OpTable& StatisticsOps();    // statistics.cc
const OpTable& MatrixOps();        // matrix.cc
const OpTable& LinalgOps();        // linalg.cc
const OpTable& IndexingOps();      // indexing.cc
const OpTable& ScatterOps();       // scatter.cc
const OpTable& ShapeOps();         // shape.cc
const OpTable& JoinOps();          // join.cc
const OpTable& RandomOps();        // random.cc
const OpTable& ConvOps();          // conv.cc
const OpTable& DynamicConvOps();   // dynamic_conv.cc
const OpTable& PoolOps();          // pool.cc
const OpTable& ProgramsOps();      // programs.cc
const OpTable& ResizeOps();        // resize.cc
const OpTable& NormOps();          // norm.cc
const OpTable& LinearOps();        // linear.cc
const OpTable& RecurrentOps();     // recurrent.cc
const OpTable& ActivationOps();    // activation.cc
const OpTable& LossOps();          // loss.cc
const OpTable& OptimOps();         // optim.cc
const OpTable& GradientsOps();     // gradients.cc
const OpTable& DataOps();          // data.cc
const OpTable& ExchangeOps();      // exchange.cc
const OpTable& RuntimeOps();       // runtime.cc
const OpTable& CudaOps();          // cuda.cc
const OpTable& CompileOps();       // compile.cc
const OpTable& CollectiveOps();    // collective.cc
const OpTable& DataParallelOps();  // data_parallel.cc
const OpTable& DistributedOps();   // distributed.cc

std::vector<const OpTable*> AllTables();
// The families whose operations can be steps of programs: functions of tensors that neither draw random
// numbers nor reach beyond their arguments. Files of programs name operations: what is not here cannot be in
// one.
std::vector<const OpTable*> ProgramTables();

}  // namespace dyconv
