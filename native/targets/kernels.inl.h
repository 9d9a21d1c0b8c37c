// The kernels, written once: included by each target file after its simd header, with LSTM_TARGET naming the
// namespace. Inside a target region lambdas and templates of the standard library are off limits: they would
// be compiled for the baseline, or for this target where others can reach them.
//
// The order is the order of dependence.
// clang-format off
#include "../math/activations.h"
#include "../gemm/tile.h"
#include "../gemm/gemm.h"
#include "../gemm/batched.h"
#include "../gemm/thin.h"
#include "../gemm/weight_gradient.h"
#include "../elementwise/elementwise.h"
#include "../elementwise/functions.h"
#include "../elementwise/sums.h"
#include "../elementwise/pointwise.h"
#include "../elementwise/normalization.h"
#include "../elementwise/softmax.h"
#include "../elementwise/ctc.h"
#include "../elementwise/linear.h"
#include "../elementwise/attention.h"
#include "../elementwise/channel_planes.h"
#include "../elementwise/grouped_convolution.h"
#include "../elementwise/grouped_gradient.h"
#include "../elementwise/convolution.h"
#include "../elementwise/pooling.h"
#include "../elementwise/optimizers.h"
#include "../lstm/packing.h"
#include "../lstm/pointwise.h"
#include "../lstm/variant.h"
#include "../lstm/driver.h"
#include "../lstm/sharing.h"
#include "../lstm/forward.h"
#include "../lstm/wavefront.h"
#include "../lstm/panel_gradient.h"
#include "../lstm/backward.h"
#include "table.inl.h"
// clang-format on
