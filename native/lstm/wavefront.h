// A stack of layers as a wavefront: while one thread takes layer l through a chunk of steps, another takes
// layer l - 1 through the next. Each keeps its own layers' weights in its own cache, and they meet once a
// chunk and not once a step.
#pragma once

namespace lstm_native::LSTM_TARGET {

struct Wavefront {
  Forward* layers;
  Progress* progress;  // [layers] steps done
  int count;           // of layers
  int chunk;
};

// Every thread has some neighbouring layers, and takes them together from chunk to chunk.
static void wavefront_share(void* data, int index, int count) {
  const Wavefront& wave = *static_cast<const Wavefront*>(data);
  int first, last;
  share(wave.count, index, count, &first, &last);
  for (int l = first; l < last; l++) {
    for (int r = 0; r < wave.layers[l].args->B; r++) start_row(wave.layers[l], r);
  }
  const int steps = wave.layers[0].schedule.steps;
  for (int s0 = 0; s0 < steps; s0 += wave.chunk) {
    const int s1 = s0 + wave.chunk < steps ? s0 + wave.chunk : steps;
    if (first > 0) wave.progress[first - 1].wait_for(s1);
    for (int l = first; l < last; l++) {
      Forward& layer = wave.layers[l];
      forward_steps(layer, Share::of(false, unit_blocks(layer.args->H), 0, 0, 1), s0, s1);
    }
    wave.progress[last - 1].reach(s1);
  }
  for (int l = first; l < last; l++) {
    for (int r = 0; r < wave.layers[l].args->B; r++) finish_row(wave.layers[l], r);
  }
}

static void lstm_stack_forward(const Context& context, const LstmArgs* layers, int count) {
  const int threads = wavefront_threads(context, layers, count);
  if (threads == 0) {
    for (int l = 0; l < count; l++) lstm_forward(context, layers + l, 1);
    return;
  }
  Wavefront wave = {context.arena->take<Forward>(count), context.arena->take<Progress>(count), count,
                    wavefront_chunk(layers[0])};
  for (int l = 0; l < count; l++) {
    Forward& layer = *new (&wave.layers[l]) Forward();
    new (&wave.progress[l]) Progress();
    prepare_forward(context, layers[l], 1, layer);
    if (layer.chunk < wave.chunk) wave.chunk = layer.chunk;
  }
  // A layer's room for sums of a chunk is then no smaller than it takes.
  for (int l = 0; l < count; l++) wave.layers[l].chunk = wave.chunk;
  context.pool->run(threads, wavefront_share, &wave);
}

}  // namespace lstm_native::LSTM_TARGET
