"""Korean for what goes wrong with converting files, importing voices and training projects."""

OFFLINE: dict[str, str] = {
    '"{}" cannot name a project; use letters, digits, dots, dashes and underscores': (
        '"{}"은(는) 프로젝트 이름으로 쓸 수 없습니다. 글자, 숫자, 점, 빼기, 밑줄만 쓰세요'
    ),
    '--name "{}" would be no good file name; expected letters, digits, dots, dashes and'
    " underscores": (
        '--name "{}"은(는) 파일 이름으로 알맞지 않습니다. 글자, 숫자, 점, 빼기, 밑줄만 쓰세요'
    ),
    "--steps must lie between 2 and {} for this voice, got {}": (
        "이 목소리의 단계(--steps)는 2에서 {} 사이여야 하는데 {}입니다"
    ),
    "words must not be negative, got {}": "words는 0 이상이어야 하는데 {}입니다",
    "blend must lie between 0 and 1, got {}": "blend는 0에서 1 사이여야 하는데 {}입니다",
    "channels must not be negative, got {}": "channels는 음수일 수 없는데 {}입니다",
    "could not save step {} into {}: {}; free some space and train again, it goes on from the"
    " checkpoint before": (
        "{}단계를 {}에 저장하지 못했습니다: {}. 디스크를 비우고 다시 학습하면 앞의 체크포인트에서"
        " 이어집니다"
    ),
    "could not write the features of {}: {}; free some space and run preprocess again, it goes"
    " on there": (
        "{}의 특징을 저장하지 못했습니다: {}. 디스크를 비우고 다시 준비하면 거기서 이어집니다"
    ),
    "drop: unknown flag {}; known: {}": "drop: {} 표시를 모릅니다. 아는 것: {}",
    'frames_per_batch must be a number above 0 or "auto", got {}': (
        'frames_per_batch는 0보다 큰 수나 "auto"여야 하는데 {}입니다'
    ),
    'encoder must name one, or be "embedded"': (
        'encoder에는 인코더 이름을 쓰거나 "embedded"라고 쓰세요'
    ),
    "layer must be -1 or more, got {}": "layer는 -1 이상이어야 하는데 {}입니다",
    "the embedded encoder has no layers to choose; set layer = -1": (
        "내장 인코더에는 고를 층이 없습니다. layer = -1로 두세요"
    ),
    "keep_last must be at least 1, got {}": "keep_last는 1 이상이어야 하는데 {}입니다",
    "keep_ms must not be negative, got {}": "keep_ms는 음수일 수 없는데 {}입니다",
    "level_db must lie in -60 to 0, got {}": "level_db는 -60에서 0 사이여야 하는데 {}입니다",
    "min_pause_ms must lie between 20 and max_pause_ms, got {}": (
        "min_pause_ms는 20과 max_pause_ms 사이여야 하는데 {}입니다"
    ),
    "min_seconds must lie between 0 and max_seconds, got {} and {}": (
        "min_seconds는 0과 max_seconds 사이여야 하는데 {}, {}입니다"
    ),
    "no audio in folder {}; expected {}": "{} 폴더에 오디오가 없습니다. 되는 형식: {}",
    "no audio under {}; expected {}": "{} 아래에 오디오가 없습니다. 되는 형식: {}",
    "no checkpoint in {} is whole; remove the folder to train anew": (
        "{}에 온전한 체크포인트가 없습니다. 폴더를 지우면 처음부터 학습합니다"
    ),
    "no checkpoint of step {}; known: {}, best, last": (
        "{}단계의 체크포인트가 없습니다. 있는 것: {}, best, last"
    ),
    'no project "{}" in {}; known: {}; a new one: moksori new {} --recordings DIR': (
        '{1}에 "{0}" 프로젝트가 없습니다. 있는 것: {2}.'
        " 새로 만들려면: moksori new {3} --recordings 폴더"
    ),
    "not enough memory for {} frames ({}); close other programs, or train with polish = false": (
        "{}프레임을 학습하기에 메모리가 모자랍니다({}). 다른 프로그램을 닫거나 polish = false로"
        " 학습하세요"
    ),
    'nothing is there to adapt from scratch: set method = "full", got "{}"': (
        '처음부터 학습할 때는 method = "full"이어야 하는데 "{}"입니다'
    ),
    "nothing to learn from in {} ({}); record at least a minute of clear speech": (
        "{} 녹음에서 배울 것이 없습니다({}). 또렷한 말을 1분 넘게 녹음하세요"
    ),
    "pause_db must be below 0, got {}": "pause_db는 0보다 작아야 하는데 {}입니다",
    "project {} is being worked on by process {}; wait for it, or stop it first": (
        "{} 프로젝트는 프로세스 {}에서 쓰고 있습니다. 기다리거나 먼저 멈추세요"
    ),
    "recordings = {} is no folder; set it in project.toml": (
        "recordings = {}: 폴더가 아닙니다. project.toml에서 고치세요"
    ),
    "recordings were added, removed or changed; run: moksori preprocess {}": (
        "녹음이 늘거나 줄거나 바뀌었습니다. 다시 준비하세요: moksori preprocess {}"
    ),
    "several sources would become {}; convert them apart": (
        "여러 원본이 모두 {} 파일이 됩니다. 따로 변환하세요"
    ),
    "the checkpoints in {} were trained with another start, network, causal, channels, method,"
    " rank, polish or encoder; put these back, or remove that folder to train anew": (
        "{}의 체크포인트는 다른 start, network, causal, channels, method, rank, polish, encoder"
        " 설정으로 학습했습니다. 설정을 되돌리거나, 그 폴더를 지우고 처음부터 학습하세요"
    ),
    "the features were made with other settings; run: moksori preprocess {}": (
        "다른 설정으로 준비한 녹음입니다. 다시 준비하세요: moksori preprocess {}"
    ),
    "training needs an end: set max_steps or max_minutes above 0": (
        "학습을 끝낼 때를 정해야 합니다. max_steps나 max_minutes를 0보다 크게 하세요"
    ),
    'unknown method "{}"; known: {}': '"{}" 방법을 모릅니다. 아는 것: {}',
    'unknown precision "{}"; known: auto, bfloat16, float16, float32': (
        '"{}" 정밀도를 모릅니다. 아는 것: auto, bfloat16, float16, float32'
    ),
    "validation_share must lie between 0 and 0.5, got {}": (
        "validation_share는 0에서 0.5 사이여야 하는데 {}입니다"
    ),
    "voice {} is a {} voice; --formant is for voices of moksori; leave it out": (
        "목소리 {}은(는) {} 목소리입니다. --formant는 moksori 목소리에만 되니 빼세요"
    ),
    "voice {} is a {} voice; --like-live is for voices of moksori; leave it out": (
        "목소리 {}은(는) {} 목소리입니다. --like-live는 moksori 목소리에만 되니 빼세요"
    ),
    'voice {} knows its speakers by number, 1 to {}; got --speaker "{}"': (
        '목소리 {}의 화자는 1에서 {}까지의 번호로 고르는데 --speaker "{}"입니다'
    ),
    "{} exists; change it, or choose another name": (
        "{}: 이미 있습니다. 그것을 고치거나 다른 이름을 고르세요"
    ),
    "{} has no checkpoint yet; run: moksori train {}": (
        "{} 프로젝트에 아직 체크포인트가 없습니다. 먼저 학습하세요: moksori train {}"
    ),
    "{} has no features at {}; run: moksori preprocess {}": (
        "{} 프로젝트의 녹음이 준비되지 않았습니다({}). 먼저 준비하세요: moksori preprocess {}"
    ),
    "{} has no voice yet; run: moksori export {}": (
        "{} 프로젝트에 아직 목소리가 없습니다. 먼저 만드세요: moksori export {}"
    ),
    "{} has samples that are not numbers": "{}: 숫자가 아닌 샘플이 있습니다",
    "{} is a file; {} sources need a folder to go into": (
        "{}: 파일입니다. 원본 {}개를 저장하려면 폴더여야 합니다"
    ),
    "{} is missing or damaged; run: moksori preprocess {}": (
        "{}: 없거나 손상됐습니다. 다시 준비하세요: moksori preprocess {}"
    ),
    "{} is no folder; --recordings names one with your audio": (
        "{}: 폴더가 아닙니다. 녹음이 있는 폴더를 --recordings로 지정하세요"
    ),
    "{} is no folder; choose another output": "{}: 폴더가 아닙니다. 다른 곳에 저장하세요",
    "{} is no valid TOML: {}": "{}: 올바른 TOML이 아닙니다: {}",
    "{}: a converting process was killed; convert it again": (
        "{}: 변환하던 프로세스가 강제로 끝났습니다. 다시 변환하세요"
    ),
    "{}: cannot be written ({}); make room there and try again": (
        "{}: 저장할 수 없습니다({}). 디스크를 비우고 다시 시도하세요"
    ),
    "{}; run: moksori preprocess {}": "{}. 다시 준비하세요: moksori preprocess {}",
}

OFFLINE_PARTS: dict[str, str] = {
    "clipped": "소리가 찌그러짐",
    "duplicate": "같은 녹음이 또 있음",
    "no voice in it": "목소리가 없음",
    "noisy": "잡음이 큼",
    "nothing spoken": "말소리가 없음",
    "shorter than {} s": "{}초보다 짧음",
    "stranger": "다른 사람의 소리",
}
"""Why a piece of a recording is not learned from, among others."""
