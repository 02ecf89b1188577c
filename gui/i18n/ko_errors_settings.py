"""Korean for settings out of range: of a voice, of live sound, of a training project."""

SETTINGS: dict[str, str] = {
    "--precision is for imported voices; leave it out": (
        "--precision은 가져온 목소리에 쓰는 것입니다. 빼 주세요"
    ),
    "--compute is for imported voices; leave it out": (
        "--compute는 가져온 목소리에 쓰는 것입니다. 빼 주세요"
    ),
    "--low-latency chooses block and lookahead; leave out --block-ms and --lookahead-ms": (
        "--low-latency는 블록과 룩어헤드를 스스로 고릅니다. --block-ms와 --lookahead-ms를 빼 주세요"
    ),
    "a voice needs at least one speaker": "목소리에는 화자가 한 명 이상 있어야 합니다",
    "bank_size must not be negative, got {}": "bank_size는 음수일 수 없는데 {}입니다",
    "bank_width must be above 0, got {}": "bank_width는 0보다 커야 하는데 {}입니다",
    "block_frames must be at least 1, got {}": "block_frames는 1 이상이어야 하는데 {}입니다",
    "causal = false needs the network wavenet and an odd kernel, got {} and {}": (
        "causal = false에는 wavenet 네트워크와 홀수 kernel이 필요한데 {}, {}입니다"
    ),
    "channels must be a whole number of heads ({}), got {}": (
        "channels는 헤드 수({})의 배수여야 하는데 {}입니다"
    ),
    "clarity must lie between 0 and 100, got {}": "또렷함은 0에서 100 사이여야 하는데 {}입니다",
    "content n_fft must exceed hop_length ({}) evenly, got {}": (
        "content n_fft는 hop_length({})보다 짝수만큼 커야 하는데 {}입니다"
    ),
    "context_frames must not be negative": "context_frames는 음수일 수 없습니다",
    "delays must be 0 or more, at least one": "delays는 하나 이상, 0 이상의 값이어야 합니다",
    "dilations must be 1 or more, got {}": "dilations는 1 이상이어야 하는데 {}입니다",
    "dilations must not be empty": "dilations는 비어 있으면 안 됩니다",
    "dry_mix must lie between 0 and 1, got {}": "원음 비율은 0에서 1 사이여야 하는데 {}입니다",
    "f0_min must lie between 0 and f0_max, got {} and {}": (
        "f0_min은 0과 f0_max 사이여야 하는데 {}, {}입니다"
    ),
    "f_min must lie below f_max": "f_min은 f_max보다 작아야 합니다",
    "formant must lie within +-12 semitones, got {}": (
        "포먼트는 ±12 반음 안이어야 하는데 {}입니다"
    ),
    "gain_db must lie between -120 and 60, got {}": (
        "음량은 -120에서 60 dB 사이여야 하는데 {}입니다"
    ),
    "gate_db must be a number, got nan": "게이트는 숫자여야 하는데 nan입니다",
    "hop_length must be even (the vocoder halves it), got {}": (
        "hop_length는 짝수여야 하는데(보코더가 반으로 나눕니다) {}입니다"
    ),
    "hop_length must be positive, got {}": "hop_length는 0보다 커야 하는데 {}입니다",
    "level_shift must lie within +-60 dB, got {}": "레벨 변화는 ±60 dB 안이어야 하는데 {}입니다",
    "lookahead of {} frames was not trained; try {}": (
        "{}프레임 앞 보기는 학습하지 않았습니다. {} 가운데 고르세요"
    ),
    "n_fft must be even": "n_fft는 짝수여야 합니다",
    "pitch_shift must lie within +-48 semitones, got {}": (
        "음높이는 ±48 반음 안이어야 하는데 {}입니다"
    ),
    "retrieval must lie between 0 and 2, got {}": "닮은 정도는 0에서 2 사이여야 하는데 {}입니다",
    "sample_rate must be positive, got {}": "샘플레이트는 0보다 커야 하는데 {}입니다",
    "sigma_min must lie between 0 and sigma_max": "sigma_min은 0과 sigma_max 사이여야 합니다",
    "speaker {} does not exist; the voice has 0 to {}": (
        "{}번 화자는 없습니다. 이 목소리의 화자는 0번부터 {}번까지입니다"
    ),
    "sharpness must lie between 0 and 1, got {}": "선명도는 0에서 1 사이여야 하는데 {}입니다",
    "retrieval_share must lie between 0 and 2, got {}": (
        "닮은 정도의 몫(retrieval_share)은 0에서 2 사이여야 하는데 {}입니다"
    ),
    "spectrum_db of {} needs {} bands, got {}": (
        "{} 화자의 spectrum_db에는 {}개의 대역이 필요한데 {}개입니다"
    ),
    "steps must be at least 1, got {}": "단계는 1 이상이어야 하는데 {}입니다",
    "steps must be at most {}, got {}": "단계는 {} 이하여야 하는데 {}입니다",
    "the lookahead of f0 must be at least 1 frame, got {}": (
        "f0의 앞 보기는 1프레임 이상이어야 하는데 {}입니다"
    ),
    "the weights of speakers must be 0 or more, one above 0, got {}": (
        "화자 비율은 0 이상이고 하나는 0보다 커야 하는데 {}입니다"
    ),
    "vocoder n_fft must be a whole number of half frames, {} or more, got {}": (
        "보코더 n_fft는 반 프레임의 배수이고 {} 이상이어야 하는데 {}입니다"
    ),
    "win_length must not exceed n_fft": "win_length는 n_fft보다 클 수 없습니다",
    "{} must be at least 1, got {}": "{} 값은 1 이상이어야 하는데 {}입니다",
}
