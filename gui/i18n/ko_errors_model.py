"""Korean for what does not fit inside a voice: its networks, its blocks, its imported parts."""

MODEL: dict[str, str] = {
    '"{}" should have the shape ({}) but has ({}); the file does not belong to these settings': (
        '"{}"의 모양이 ({})이어야 하는데 ({})입니다. 이 설정의 파일이 아닙니다'
    ),
    "--low-latency is for voices of moksori; {} takes --block-ms and --lookahead-ms": (
        "--low-latency는 moksori 목소리에만 됩니다. {}에는 --block-ms와 --lookahead-ms를 쓰세요"
    ),
    "HuBERT, ContentVec and WavLM encoders need the package transformers, which is not"
    " installed; install it with: pip install transformers": (
        "HuBERT, ContentVec, WavLM 인코더에는 transformers 패키지가 필요한데 설치되어 있지"
        " 않습니다. 설치: pip install transformers"
    ),
    "HuBERT-soft needs at least {} samples at 16 kHz, got {}; pad the wave with zeros": (
        "HuBERT-soft에는 16 kHz로 {}샘플 이상이 필요한데 {}샘플입니다. 무음을 덧붙이세요"
    ),
    "HuBERT-soft: feature_projection.projection.weight gives a width of {}, which {} heads and"
    " {} groups do not share evenly; the file is of another kind of model": (
        "HuBERT-soft: feature_projection.projection.weight의 너비 {}이(가) 헤드 {}개, 그룹 {}개로"
        " 나누어지지 않습니다. 다른 종류의 모델 파일입니다"
    ),
    "{} fitted steps need rows of 1 to {} weights, got rows of {}; import the voice again": (
        "맞춘 걸음 {}개에는 가중치가 1개부터 {}개까지인 줄이 필요한데 {}입니다. 목소리를 다시"
        " 가져오세요"
    ),
    "a splice needs a crossfade of at least 1 sample and a search of 0 or more, got {} and {}": (
        "이어 붙이려면 크로스페이드는 1샘플 이상, 탐색은 0 이상이어야 하는데 {}, {}입니다"
    ),
    "a window needs a block of at least 1 sample and no negative part, got context {}, block {},"
    " lookahead {}": (
        "창의 블록은 1샘플 이상이고 음수가 없어야 하는데 앞 {}, 블록 {}, 앞 보기 {}입니다"
    ),
    "alphas_cumprod must fall from below 1 to above 0 over two steps or more; got {}..., shape"
    " {}": (
        "alphas_cumprod는 두 단계 이상에 걸쳐 1보다 작은 값에서 0보다 큰 값으로 줄어야 하는데"
        " {}..., 모양 {}입니다"
    ),
    "an f0 window needs a block of at least 1 frame and no negative length, got block {},"
    " context {}, lookahead {}": (
        "f0 창의 블록은 1프레임 이상이고 음수가 없어야 하는데 블록 {}, 앞 {}, 앞 보기 {}입니다"
    ),
    "block must last longer than 0 ms and at most {}, got {}; try 50": (
        "블록은 0 ms보다 길고 {} ms 이하여야 하는데 {}입니다. 50을 써 보세요"
    ),
    "block of shape {} is not a whole number of {}-sample blocks; push {} samples": (
        "모양이 {}인 블록은 {}샘플 블록의 배수가 아닙니다. {}샘플씩 넣으세요"
    ),
    "block of shape {} is not a whole number of {}-sample {}; push {} samples": (
        "모양이 {}인 블록은 {}샘플({})의 배수가 아닙니다. {}샘플씩 넣으세요"
    ),
    "block of {} samples is not a whole number of {}-sample frames; try {}": (
        "{}샘플 블록은 {}샘플 프레임의 배수가 아닙니다. 알맞은 값: {}"
    ),
    "cannot load the speech encoder {}: expected a folder with config.json and"
    " model.safetensors, or the id of a model on the hub; {}": (
        "음성 인코더 {}을(를) 불러올 수 없습니다. config.json과 model.safetensors가 있는 폴더나"
        " 허브에 있는 모델의 이름이어야 합니다({})"
    ),
    "cannot read {} as the weights of HuBERT-soft (hubert_soft.pt): {}": (
        "{}: HuBERT-soft(hubert_soft.pt)의 가중치로 읽을 수 없습니다: {}"
    ),
    "context_frames of {} ({} samples) is less than the {} samples that this voice's analysis"
    " looks back; use {} or more": (
        "context_frames {}({}샘플)은 이 목소리가 되돌아보는 {}샘플보다 짧습니다. {} 이상으로 하세요"
    ),
    "eta must lie between 0 and 1, got {}": "eta는 0에서 1 사이여야 하는데 {}입니다",
    "eta of {} needs a noise function; pass noise=... or eta=0": (
        "eta {}에는 잡음 함수가 필요합니다. noise=...를 주거나 eta=0으로 하세요"
    ),
    "expected 0 <= f_min < f_max <= {} and a floor above 0, got {}, {} and {}": (
        "0 <= f_min < f_max <= {}이고 바닥값은 0보다 커야 하는데 {}, {}, {}입니다"
    ),
    "expected 1 to {} steps over {} betas, got {}; choose another speed-up": (
        "베타 {1}개에는 1에서 {0}단계까지 되는데 {2}단계입니다. 다른 배속을 고르세요"
    ),
    "expected a block of {} samples, got shape {}; gather input into whole blocks before pushing": (
        "{}샘플 블록이어야 하는데 모양이 {}입니다. 입력을 블록 크기로 모아서 넣으세요"
    ),
    "expected a rendering of more than {} samples (crossfade {} + search {}), got shape {}": (
        "{}샘플(크로스페이드 {} + 탐색 {})보다 길어야 하는데 모양이 {}입니다"
    ),
    "expected f0 of {} frames, as the mel has, got {}": (
        "f0는 멜과 같은 {}프레임이어야 하는데 {}입니다"
    ),
    "expected hop_length <= win_length <= n_fft, got {}, {} and {}": (
        "hop_length <= win_length <= n_fft여야 하는데 {}, {}, {}입니다"
    ),
    "expected one position for each of at least 1 sound, got {} and {}": (
        "소리가 하나 이상이고 소리마다 위치가 하나씩 있어야 하는데 {}, {}입니다"
    ),
    "f0_bin must be at least 3, got {}": "f0_bin은 3 이상이어야 하는데 {}입니다",
    "fs2.encoder.layers.0.op.ffn.ffn_1.weight has {} channels, not a multiple of num_heads {}": (
        "fs2.encoder.layers.0.op.ffn.ffn_1.weight의 채널이 {}개라 num_heads {}의 배수가 아닙니다"
    ),
    "fs2.{}.weight has shape {}, expected a table of {} rows or more": (
        "fs2.{}.weight의 모양이 {}입니다. {}행 이상의 표여야 합니다"
    ),
    "fs2.{}.weight is missing, but the config asks for it; is this config of another model?": (
        "설정에 있는 fs2.{}.weight가 없습니다. 다른 모델의 설정인지 확인하세요"
    ),
    "layer must lie between 0 and {}, got {}": "층은 0에서 {} 사이여야 하는데 {}입니다",
    "lookahead must be 0 ms or more, got {}; try 50": (
        "앞 보기는 0 ms 이상이어야 하는데 {}입니다. 50을 써 보세요"
    ),
    "lookahead must lie between 0 and 2000 ms, got {}; try 100": (
        "앞 보기는 0에서 2000 ms 사이여야 하는데 {}입니다. 100을 써 보세요"
    ),
    "mel_vmin must lie below mel_vmax, got {} and {}": (
        "mel_vmin은 mel_vmax보다 작아야 하는데 {}, {}입니다"
    ),
    "nothing to analyse: the wave has no samples": "분석할 소리가 없습니다(빈 파형)",
    "nothing to convert: the wave has no samples": "변환할 소리가 없습니다(빈 파형)",
    "nothing to convert: {} samples are {} mel frames and {} units, expected at least 1 of each": (
        "변환하기에 너무 짧습니다. {}샘플은 멜 {}프레임, 유닛 {}개인데 각각 1 이상이어야 합니다"
    ),
    "rho must be positive, got {}": "rho는 0보다 커야 하는데 {}입니다",
    "sigma_min must lie between 0 and sigma_max, got {} and {}": (
        "sigma_min은 0과 sigma_max 사이여야 하는데 {}, {}입니다"
    ),
    "sigmas must be at least two falling levels, the last one 0 or above; got {}": (
        "sigmas는 줄어드는 값 두 개 이상이고 마지막은 0 이상이어야 하는데 {}입니다"
    ),
    "speaker {} does not exist; voice {} has 1 to {}": (
        "{}번 화자는 없습니다. 목소리 {}의 화자는 1번부터 {}번까지입니다"
    ),
    "spec_min has shape {}, expected 1 value or one for each of {} mel bins": (
        "spec_min의 모양이 {}입니다. 값이 1개이거나 멜 {}칸마다 하나씩이어야 합니다"
    ),
    "speed-up 1 is DDPM and needs fresh noise for each step": (
        "배속 1은 DDPM이라 단계마다 새 잡음이 필요합니다"
    ),
    "speed-up {} leaves no step to take from step {}; choose one from 1 to {}": (
        "배속 {}이면 {}단계에서 나아갈 단계가 없습니다. 1에서 {} 사이를 고르세요"
    ),
    "spk_embed.weight has shape {}, expected a row of {} for each speaker; a voice made with a"
    " speaker encoder needs vectors that are not in its file": (
        "spk_embed.weight의 모양이 {}입니다. 화자마다 {}칸 한 행이어야 합니다. 화자 인코더로 만든"
        " 목소리에는 파일에 없는 벡터가 필요합니다"
    ),
    "start must lie between 1 and {}, got {}": "start는 1에서 {} 사이여야 하는데 {}입니다",
    "step must lie between 0 and {}, got {}": "단계는 0에서 {} 사이여야 하는데 {}입니다",
    'the f0 estimator "swift" needs the package swift-f0, which is not installed; install it'
    " with: pip install swift-f0": (
        '음높이 추정기 "swift"에는 swift-f0 패키지가 필요한데 설치되어 있지 않습니다.'
        " 설치: pip install swift-f0"
    ),
    'the f0 estimators "dio" and "harvest" need the package pyworld, which is not installed;'
    " install it with: pip install pyworld (without a wheel: a C++ compiler too)": (
        '음높이 추정기 "dio", "harvest"에는 pyworld 패키지가 필요한데 설치되어 있지 않습니다.'
        " 설치: pip install pyworld (휠이 없으면 C++ 컴파일러도 필요합니다)"
    ),
    "the order of UniPC must lie between 1 and 3, got {}": (
        "UniPC의 차수는 1에서 3 사이여야 하는데 {}입니다"
    ),
    "the pitch extractor expects a mel (B, T, {}), got {}; it belongs to another mel front end": (
        "음높이 추출기에는 멜 (B, T, {})이 필요한데 {}입니다. 다른 멜에 맞춘 추출기입니다"
    ),
    'the speech encoder {} lacks the weights "{}" ({} missing in all); {}': (
        '음성 인코더 {}에 가중치 "{}"이(가) 없습니다(모두 {}개 빠짐). {}'
    ),
    "the vocoder expects a mel (B, {}, T) and f0 (B, T), got {} and {}; they must share batch"
    " and frames": (
        "보코더에는 멜 (B, {}, T)과 f0 (B, T)가 필요한데 {}, {}입니다. 배치와 프레임 수가 같아야"
        " 합니다"
    ),
    'the weights lack "{}"; the file holds {}, ...: it is of another kind of model': (
        '가중치 "{}"이(가) 없습니다. 파일에는 {} 등이 있습니다. 다른 종류의 모델입니다'
    ),
    "the {} front end has no key shift, got {}": ("{} 방식에서는 조옮김을 할 수 없는데 {}입니다"),
    "this encoder needs at least {} samples at 16 kHz, got {}; pad the wave with zeros": (
        "이 인코더에는 16 kHz로 {}샘플 이상이 필요한데 {}샘플입니다. 무음을 덧붙이세요"
    ),
    "this encoder's name stands for layer {}, final_proj {}, got layer {}, final_proj {}; take"
    ' "hubert" to choose': (
        "이 인코더는 층 {}, final_proj {}인데 층 {}, final_proj {}입니다. 직접 고르려면"
        ' "hubert"를 쓰세요'
    ),
    "this voice hears with {}, whose weights are not in its file; expected at {}, or by the same"
    " name beside the voice ({})": (
        "이 목소리는 {}로 듣는데 그 가중치는 목소리 파일에 없습니다. {}에, 또는 같은 이름으로"
        " 목소리 파일 옆에 두세요 ({})"
    ),
    "{} gives a unit every {} samples, expected {} at {} Hz; take another encoder": (
        "{}의 유닛은 {}샘플마다 나오는데 {}샘플({} Hz)이어야 합니다. 다른 인코더를 쓰세요"
    ),
    "{} is another {} than the one that this voice was trained with (its weights sign {},"
    " expected {}); put that one there": (
        "{}는 이 목소리를 학습할 때의 {}와 다릅니다(가중치 서명 {}, {}여야 함)."
        " 학습할 때의 것을 그 자리에 두세요"
    ),
    "vocoder config: a setting is of the wrong type: {}": (
        "보코더 설정: 값의 종류가 맞지 않습니다: {}"
    ),
    "vocoder config: an upsample kernel must exceed its rate ({}) evenly, got {}": (
        "보코더 설정: 업샘플 커널은 비율({})보다 짝수만큼 커야 하는데 {}입니다"
    ),
    "vocoder config: mini_nsf needs two upsample_rates or more": (
        "보코더 설정: mini_nsf에는 upsample_rates가 두 개 이상 필요합니다"
    ),
    'vocoder config: resblock must be "1" or "2", got {}': (
        '보코더 설정: resblock은 "1"이나 "2"여야 하는데 {}입니다'
    ),
    "vocoder config: upsample_initial_channel must halve {} times, got {}": (
        "보코더 설정: upsample_initial_channel은 {}번 반으로 나누어져야 하는데 {}입니다"
    ),
    "vocoder config: {} is missing; take the config file that came with the weights": (
        "보코더 설정: {} 값이 없습니다. 가중치에 딸린 설정 파일을 쓰세요"
    ),
    "vocoder config: {} resblock_kernel_sizes need as many resblock_dilation_sizes, got {}": (
        "보코더 설정: resblock_kernel_sizes가 {}개인데 resblock_dilation_sizes는 {}개입니다"
    ),
    "vocoder config: {} upsample_rates need as many upsample_kernel_sizes, got {}": (
        "보코더 설정: upsample_rates가 {}개인데 upsample_kernel_sizes는 {}개입니다"
    ),
    "voice {} holds no content encoder; import it again with --hubert": (
        "목소리 {}에 내용 인코더가 없습니다. --hubert를 지정해 다시 가져오세요"
    ),
    "voice {} holds no vocoder of its own": "목소리 {}에는 제 보코더가 없습니다",
    "voice {} holds no vocoder; import it again": (
        "목소리 {}에 보코더가 없습니다. 다시 가져오세요"
    ),
    "voice {} is a {} voice, whose encoder names no phones; leave out --clarity": (
        "목소리 {}은(는) {} 목소리이고 그 인코더는 음소를 모릅니다. --clarity를 빼세요"
    ),
    "voice {} is a {} voice and keeps no sounds to retrieve; leave out --retrieval": (
        "목소리 {}은(는) {} 목소리라 닮은 소리를 찾을 수 없습니다. --retrieval을 빼세요"
    ),
    "voice {} is a {} voice; convert, live, demo, latency and bench take it, this command does"
    " not": (
        "목소리 {}은(는) {} 목소리라 이 명령에는 쓸 수 없습니다. convert, live, demo, latency,"
        " bench에 쓰세요"
    ),
    "{} is a voice of moksori, expected an imported one": (
        "{}: 가져온 목소리여야 하는데 moksori 목소리입니다"
    ),
    "{} is a {} voice, expected {}": "{}: {} 목소리입니다. {} 목소리여야 합니다",
    "{} must not be negative, got {}": "{} 값은 음수일 수 없는데 {}입니다",
    "{} s is too short to convert; expected 0.05 s or more": (
        "{}초는 변환하기에 너무 짧습니다. 0.05초 이상이어야 합니다"
    ),
    "{} should hold the named weights of HuBERT-soft, but holds a {}": (
        "{}: HuBERT-soft의 가중치가 있어야 하는데 {}이(가) 있습니다"
    ),
    '{}: "{}" holds values that are not finite; the file is damaged, get it again or take an'
    " earlier checkpoint": (
        '{}: "{}"에 잘못된 값(NaN, 무한대)이 있습니다. 손상된 파일이니 다시 받거나 이전'
        " 체크포인트를 쓰세요"
    ),
    "{}: the config {} mini_nsf, but the weights are those of {}; take the config file that came"
    " with the weights": (
        "{0}: 설정의 mini_nsf({1})와 달리 {2}의 가중치입니다. 가중치에 딸린 설정 파일을 쓰세요"
    ),
    "{}: {}; import the voice again": "{}: {}. 목소리를 다시 가져오세요",
    "no device {}: expected cpu, or cuda with an NVIDIA card and PyTorch built for it ({})": (
        "장치 {}: 없습니다. cpu, 또는 NVIDIA 카드와 그에 맞게 만든 PyTorch가 있을 때 cuda로 하세요"
        " ({})"
    ),
}

MODEL_PARTS: dict[str, str] = {
    "blocks": "블록",
    "does not set": "없음",
    "frames": "프레임",
    "sets": "있음",
    "the file is of another model or damaged": "다른 모델의 파일이거나 손상됐습니다",
    "the nine-sine NSF": "사인 9개짜리 NSF",
    "this model has no final_proj; choose final_proj=False": (
        "이 모델에는 final_proj가 없습니다. final_proj=False로 하세요"
    ),
}
