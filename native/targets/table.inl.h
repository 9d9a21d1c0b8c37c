// The table of this target.
namespace lstm_native::LSTM_TARGET {

#define LSTM_NAME_OF(target) #target
#define LSTM_NAME(target) LSTM_NAME_OF(target)

static const Kernels kTable = {
    LSTM_NAME(LSTM_TARGET),
    kWidth,
    gemm,
    batched_gemm,
    attention_forward,
    attention_backward,
    linear_forward,
    linear_backward,
    linear_packed_length,
    linear_pack,
    embedding_forward,
    embedding_backward,
    layer_norm_forward,
    layer_norm_backward,
    softmax_forward,
    softmax_backward,
    softmax_cross_entropy,
    ctc_loss,
    conv1d_packed_length,
    conv1d_pack,
    conv1d_forward,
    conv1d_backward,
    pool1d_forward,
    pool1d_backward,
    unary_forward,
    unary_backward,
    binary,
    axpy,
    multiply_add,
    add_rows,
    sum_rows,
    reduce,
    sum_of_squares,
    bernoulli,
    sgd_step,
    rmsprop_step,
    adam_step,
    lstm_cache_length,
    lstm_packed_length,
    lstm_pack,
    lstm_forward,
    lstm_stack_forward,
    lstm_backward,
    activation,
};

}  // namespace lstm_native::LSTM_TARGET
