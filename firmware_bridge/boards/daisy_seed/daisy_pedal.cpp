/* A pedal on a Daisy Seed: guitar into the left input, footswitch at D1, LED at D2. See docs/firmware.md.
 *
 * neuralpedal firmware MODEL.tflite --board daisy-seed puts it beside the model. Compiled in neuralpedal's tests against
 * stub headers; it has not run on hardware.
 */
#include "daisy_seed.h"

#include "pedal_program.h"

#if PEDAL_IO_INT16
#error "libDaisy's audio is float: generate the model with --io float"
#endif
#if PEDAL_SAMPLE_RATE_HZ != 48000 && PEDAL_SAMPLE_RATE_HZ != 96000
#error "this codec plays at 48000 or 96000 Hz: train the model at one of them"
#endif

using namespace daisy;

/* One millisecond at 48 kHz. A shorter block has less latency and costs more calls. */
static constexpr size_t BLOCK_SAMPLES = 48;

DaisySeed daisy_board;
static GPIO footswitch, led;
static pedal_program program;
static CpuLoadMeter load;

/* Called from an interrupt for every block: nothing here waits, allocates or prints. */
static void process_block(AudioHandle::InputBuffer in, AudioHandle::OutputBuffer out, size_t n)
{
    load.OnBlockStart();
    /* The switch closes to ground, against a pull-up. */
    pedal_program_play(&program, in[0], out[0], n, !footswitch.Read());
    for (size_t t = 0; t < n; t++)
        out[1][t] = out[0][t];
    load.OnBlockEnd();
}

int main()
{
    /* true: 480 MHz; the default is 400 MHz. */
    daisy_board.Init(true);
    daisy_board.SetAudioSampleRate(PEDAL_SAMPLE_RATE_HZ == 96000 ? SaiHandle::Config::SampleRate::SAI_96KHZ
                                                          : SaiHandle::Config::SampleRate::SAI_48KHZ);
    daisy_board.SetAudioBlockSize(BLOCK_SAMPLES);
    footswitch.Init(seed::D1, GPIO::Mode::INPUT, GPIO::Pull::PULLUP);
    led.Init(seed::D2, GPIO::Mode::OUTPUT);
    load.Init((float)PEDAL_SAMPLE_RATE_HZ, BLOCK_SAMPLES);
    pedal_program_start(&program);
    daisy_board.StartAudio(process_block);
    for (;;) {
        led.Write(program.lit != 0);
        /* The LED on the board: lit when a block took more than nine tenths of its time. */
        daisy_board.SetLed(load.GetMaxCpuLoad() > 0.9f);
        pedal_program_serve(&program);
    }
}
