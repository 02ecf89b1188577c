"""Korean for what goes wrong while sound runs: the sentences of realtime and of gui."""

LIVE: dict[str, str] = {
    '"{}" fits several {} devices; take a number: {}': (
        '"{}"에 맞는 {} 장치가 여러 개입니다. 번호로 고르세요: {}'
    ),
    '"{}" or "{}" {}': '"{}" 또는 "{}" 장치: {}',
    "--backend loopback needs --input FILE and --output FILE": (
        "--backend loopback에는 --input 파일과 --output 파일이 필요합니다"
    ),
    "--input and --output are files, for --backend loopback; a microphone and a speaker are"
    " chosen by --input-device and --output-device": (
        "--input과 --output은 --backend loopback에 쓰는 파일입니다. 마이크와 스피커는"
        " --input-device와 --output-device로 고르세요"
    ),
    "--record and --output are both {}; choose two names": (
        "--record와 --output이 모두 {}입니다. 이름을 다르게 정하세요"
    ),
    "--seconds must be more than 0, got {}": "--seconds는 0보다 커야 하는데 {}입니다",
    "--virtual chooses the output; leave out --output-device, or hear yourself with"
    " --monitor-device": (
        "--virtual이 출력을 정합니다. --output-device를 빼거나, 내 소리는 --monitor-device로"
        " 들으세요"
    ),
    "PortAudio cannot list devices: {}": "PortAudio가 장치 목록을 읽지 못했습니다: {}",
    "`pactl {}` failed ({}); is the sound server running?": (
        "`pactl {}` 명령이 실패했습니다({}). 사운드 서버가 켜져 있는지 확인하세요"
    ),
    "a processor's block must be at least 1 sample, got {}": (
        "처리 블록은 1샘플 이상이어야 하는데 {}입니다"
    ),
    "a recording is running; stop it before the next": (
        "이미 녹음 중입니다. 새로 녹음하려면 먼저 끝내세요"
    ),
    "a recording needs a file for the output, the input or both": (
        "녹음하려면 출력이나 입력, 또는 둘 다 저장할 파일이 필요합니다"
    ),
    "an array as source needs its sample_rate; got none": (
        "배열을 입력으로 쓰려면 sample_rate를 함께 정해야 합니다"
    ),
    "both recordings are {}; choose two names": (
        "두 녹음의 파일이 모두 {}입니다. 이름을 다르게 정하세요"
    ),
    'bypass must be "dry" or "mute", got "{}"': ('bypass는 "dry"나 "mute"여야 하는데 "{}"입니다'),
    'cannot open "{}" ({}): {}; is another program using it? See `moksori devices`': (
        '"{}" 장치를 열 수 없습니다({}): {}. 다른 프로그램이 쓰고 있는지 확인하세요.'
        " `moksori devices`도 참고하세요"
    ),
    "expected a table with an entry `tuned`": "`tuned` 항목이 있는 표가 필요합니다",
    "expected audio ({}), found none in what was dropped": (
        "오디오({})가 필요한데, 놓으신 것에서 찾지 못했습니다"
    ),
    "expected recordings in {}, found no audio there": (
        "{} 폴더에 녹음이 있어야 하는데 오디오를 찾지 못했습니다"
    ),
    "expected settings of version {}": "설정의 버전은 {}이어야 합니다",
    "global keys cannot be had on {} ({}); those of the window work": (
        "{}에서는 전역 단축키를 쓸 수 없습니다({}). 창 안의 단축키는 됩니다"
    ),
    "live sound needs PortAudio, which is missing here ({}); mend it with `{}`. Everything but"
    " `moksori live` works without it": (
        "실시간 소리에는 PortAudio가 필요한데 여기에 없습니다({}). `{}` 명령으로 설치하세요."
        " `moksori live` 말고는 없어도 됩니다"
    ),
    "no {} device has number {}; known: {}": "{} 장치 중에 {}번은 없습니다. 있는 장치: {}",
    'no {} device is called "{}"; known: {}': '이름이 "{1}"인 {0} 장치가 없습니다. 있는 장치: {2}',
    "no {} device was found; plug one in or start the sound server": (
        "{} 장치를 찾지 못했습니다. 장치를 꽂거나 사운드 서버를 켜세요"
    ),
    "no sound device to play on; plug one in or start the server": (
        "소리를 낼 장치가 없습니다. 장치를 꽂거나 사운드 서버를 켜세요"
    ),
    "no virtual cable was found; install {}, then try again. How: docs/virtual-microphone.md": (
        "가상 케이블을 찾지 못했습니다. {} 프로그램을 설치하고 다시 시도하세요."
        " 방법: docs/virtual-microphone.ko.md"
    ),
    "noise suppression needs RNNoise; mend it with `pip install pyrnnoise` (not made for every"
    " system), or leave --suppress-noise out": (
        "잡음 제거에는 RNNoise가 필요합니다. `pip install pyrnnoise`로 설치하거나(지원하지 않는"
        " 시스템도 있습니다) 잡음 제거(--suppress-noise)를 끄세요"
    ),
    "noise suppression works between {} and {} Hz, this voice is at {}; leave --suppress-noise"
    " out": (
        "잡음 제거는 {}에서 {} Hz 사이에서 되는데, 이 목소리는 {} Hz입니다."
        " 잡음 제거(--suppress-noise)를 끄세요"
    ),
    "slack_seconds must not be negative, got {}": "slack_seconds는 음수일 수 없는데 {}입니다",
    "the answer to {}, {}, cannot leave the engine ({})": (
        "{}에 대한 답({})을 엔진에서 꺼낼 수 없습니다({})"
    ),
    "the app needs a screen, and neither DISPLAY nor WAYLAND_DISPLAY names one; without it there"
    " is: moksori live": (
        "앱에는 화면이 필요한데 DISPLAY에도 WAYLAND_DISPLAY에도 없습니다. 화면 없이는"
        " moksori live를 쓰세요"
    ),
    "the engine did not answer to {} within {} s": "엔진이 {} 요청에 {}초 안에 답하지 않았습니다",
    "the engine has no session yet; make one first": "엔진에 세션이 없습니다. 먼저 만드세요",
    "the engine's process has ended (exit code {}); start again, and try another device if it"
    " ends again": (
        "엔진 프로세스가 끝났습니다(종료 코드 {}). 다시 시작하고, 또 끝나면 다른 장치를 고르세요"
    ),
    "there is a voice file {} already, in {}; rename this one, or take that one away": (
        "{1}에 목소리 파일 {0}이(가) 이미 있습니다. 이 파일의 이름을 바꾸거나 그 파일을 치우세요"
    ),
    "the folder {} holds no checkpoint; expected a .ckpt (diff-svc) or .pt (diffusion-svc) file"
    " and its config.yaml": (
        "{} 폴더에 체크포인트가 없습니다. .ckpt(diff-svc)나 .pt(diffusion-svc) 파일과 그"
        " config.yaml이 필요합니다"
    ),
    "the other voice has a {} of {}, this one {}; stop the session and start it with the other": (
        "다른 목소리의 {} 값은 {}, 지금 목소리는 {}입니다. 정지한 뒤 그 목소리로 시작하세요"
    ),
    "the session is {}; start it first": "지금 상태는 ‘{}’입니다. 먼저 시작하세요",
    "the session is {}; stop it first": "지금 상태는 ‘{}’입니다. 먼저 정지하세요",
    "the session was stopped while it started": "시작하는 도중에 정지했습니다",
    "the sound driver did not close within {} s; it hangs": (
        "사운드 드라이버가 {}초 안에 닫히지 않았습니다. 멈춘 것 같습니다"
    ),
    "the sound server did not answer within {} s": "사운드 서버가 {}초 안에 답하지 않았습니다",
    "the virtual microphone is the system's default input, so that a session would hear itself;"
    " choose another default, or name one with --input-device": (
        "가상 마이크가 시스템의 기본 입력이라 제 소리를 다시 듣게 됩니다. 기본 입력을 바꾸거나"
        " --input-device로 마이크를 고르세요"
    ),
    "the voice was not ready after {} s": "목소리가 {}초가 지나도 준비되지 않았습니다",
    "the window is closed; open it again": "창이 닫혔습니다. 다시 여세요",
    "the worker did not return after its device was lost": (
        "장치 연결이 끊긴 뒤 처리 스레드가 돌아오지 않았습니다"
    ),
    "the worker did not return within {} s; its thread is left behind": (
        "처리 스레드가 {}초 안에 돌아오지 않아 그대로 두었습니다"
    ),
    "the worker took more than {} s for a block; it hangs": (
        "블록 하나를 처리하는 데 {}초가 넘게 걸렸습니다. 멈춘 것 같습니다"
    ),
    "these devices are already running; stop them first": (
        "이 장치들은 이미 쓰고 있습니다. 먼저 정지하세요"
    ),
    "this loopback has already played; make a new one": (
        "이 루프백은 이미 재생이 끝났습니다. 새로 만드세요"
    ),
    "this machine is too slow for the voice: its best block of {} ms took {} ms, {} of it are"
    " wanted; close other programs, or use fewer --steps": (
        "이 컴퓨터는 이 목소리에 너무 느립니다. 가장 좋은 {} ms 블록에 {} ms가 걸렸는데 그 {}까지"
        "만 됩니다. 다른 프로그램을 닫거나 단계(--steps)를 줄이세요"
    ),
    "this needs `pactl`, which speaks to PulseAudio and PipeWire; mend it with"
    " `sudo apt install pulseaudio-utils`": (
        "PulseAudio·PipeWire와 통하는 `pactl`이 필요합니다."
        " `sudo apt install pulseaudio-utils`로 설치하세요"
    ),
    'unknown clock "{}"; known: real, virtual': '"{}" 시계를 모릅니다. 아는 것: real, virtual',
    "{} gave NaN or infinite samples in {} blocks in a row, in spite of resets; use another"
    " voice": (
        "{}에서 초기화를 해도 {}블록 내리 잘못된 값(NaN, 무한대)이 나왔습니다. 다른 목소리를 쓰세요"
    ),
    "{} is no voice; expected a .safetensors voice of moksori, or a .ckpt or .pt checkpoint with"
    " its config.yaml beside it": (
        "{}: 목소리가 아닙니다. moksori의 .safetensors 목소리나, config.yaml이 옆에 있는 .ckpt·.pt"
        " 체크포인트가 필요합니다"
    ),
    "{} must lie between 0 and {}, got {}": "{} 값은 0에서 {} 사이여야 하는데 {}입니다",
    "{} must lie between 1 and 1024, got {}": "{} 값은 1에서 1024 사이여야 하는데 {}입니다",
    "{} must lie between {} and {}, got {}": "{} 값은 {}에서 {} 사이여야 하는데 {}입니다",
    "{} of {} chirps came back; turn the loudspeaker up, hold the microphone to it, or join the"
    " two by a cable or a virtual one": (
        "시험음 {1}번 가운데 {0}번만 돌아왔습니다. 스피커를 키우거나, 마이크를 가까이 대거나,"
        " 둘을 케이블(또는 가상 케이블)로 이으세요"
    ),
    "{} takes none of the usual rates; choose another device, or free this one if another"
    " program holds it": (
        "{}: 보통 쓰는 샘플레이트를 하나도 받지 않습니다. 다른 장치를 고르거나, 다른 프로그램이"
        " 쓰고 있으면 끄세요"
    ),
    "{}.push gave shape {} for a block of {} samples; it must give as many as it gets": (
        "{0}.push가 {2}샘플 블록에 {1} 모양을 돌려주었습니다. 받은 만큼 돌려주어야 합니다"
    ),
    "{}: the disk did not take the recording within {} s": (
        "{}: 디스크가 {}초 안에 녹음을 받아 적지 못했습니다"
    ),
    "{}: the setting cannot be kept ({})": "{}: 설정을 저장할 수 없습니다({})",
}

LIVE_PARTS: dict[str, str] = {
    "failed": "실패",
    "gave no sign of life for {} s": "{}초 동안 응답이 없습니다",
    "idle": "쉬는 중",
    "input": "입력",
    "lost": "장치를 기다리는 중",
    "output": "출력",
    "running": "실행 중",
    "starting": "시작하는 중",
    "stopped by itself; is it still plugged in?": (
        "저절로 멈췄습니다. 아직 꽂혀 있는지 확인하세요"
    ),
    "stopping": "멈추는 중",
}
"""What stands in the place of a value."""
