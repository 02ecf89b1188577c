"""Korean for what is wrong with a voice, an audio file, a setting or a foreign checkpoint."""

CORE: dict[str, str] = {
    "no voice file at {}; see the voices at hand with: moksori voices": (
        "{}에 목소리 파일이 없습니다. 있는 목소리는 moksori voices로 볼 수 있습니다"
    ),
    'the weight of speaker "{}" must be a number, got "{}"': (
        '화자 "{}"의 비율은 숫자여야 하는데 "{}"입니다'
    ),
    'unknown speaker "{}" in voice "{}"; known: {}': (
        '목소리 "{1}"에 "{0}" 화자가 없습니다. 있는 화자: {2}'
    ),
    'unknown voice "{}"; known: {}; or give the path of a .safetensors file': (
        '"{}" 목소리가 없습니다. 있는 목소리: {}. .safetensors 파일의 경로를 써도 됩니다'
    ),
    'unknown {} "{}"; known: {}': '{} "{}"을(를) 모릅니다. 아는 것: {}',
    "voice {} has {} mel bins at {} Hz, hop {}; the embedded vocoder takes {} at {} Hz, hop {};"
    " name the voice's own vocoder with --vocoder": (
        "목소리 {}의 멜은 {}칸, {} Hz, 홉 {}인데 내장 보코더는 {}칸, {} Hz, 홉 {}만 됩니다."
        " 이 목소리의 보코더를 --vocoder로 지정하세요"
    ),
    "voice {} hears units of {}; name a folder of transformers with config.json and"
    " model.safetensors, or the id of such a model, with --hubert": (
        "목소리 {}에는 {}차원 유닛이 필요합니다. config.json과 model.safetensors가 있는"
        " transformers 폴더나 그런 모델의 이름을 --hubert로 지정하세요"
    ),
    "{} does not fit its own config: {} weights missing{}, {} foreign{}; export the voice again": (
        "{}: 파일이 제 설정과 맞지 않습니다. 빠진 가중치 {}개{}, 낯선 가중치 {}개{}."
        " 목소리를 다시 내보내세요"
    ),
    "{} ends within weight {}; get it again": (
        "{}: 파일이 가중치 {} 중간에서 끊겼습니다. 다시 받으세요"
    ),
    "{} from {} has {} values, expected 1 or {}, one for each mel bin": (
        "{1}의 {0}에 값이 {2}개 있습니다. 1개이거나 멜 칸마다 하나씩 {3}개여야 합니다"
    ),
    "{} has version {} of the voice format; this program reads version {}; update moksori or"
    " export the voice again": (
        "{}: 목소리 형식의 버전이 {}인데 이 프로그램은 버전 {} 파일을 읽습니다. moksori를"
        " 업데이트하거나 목소리를 다시 내보내세요"
    ),
    "{} is a safetensors file but no moksori voice (its metadata name {}, expected"
    " moksori-voice)": (
        "{}: safetensors 파일이지만 moksori 목소리가 아닙니다(형식이 moksori-voice여야 하는데"
        " {}입니다)"
    ),
    "{} is a {} voice; it converts files and runs live (convert, live, demo, bench) and does"
    " nothing else": (
        "{}: {} 목소리입니다. 파일 변환과 실시간(convert, live, demo, bench)에만 쓸 수 있습니다"
    ),
    "{} is empty (0 bytes); download or copy it again": (
        "{}: 파일이 비었습니다(0바이트). 다시 받거나 복사하세요"
    ),
    "{} is no JSON ({}); download it again": "{}: JSON이 아닙니다({}). 다시 받으세요",
    "{} is no text in UTF-8; expected a YAML or JSON config": (
        "{}: UTF-8 텍스트가 아닙니다. YAML이나 JSON 설정 파일이어야 합니다"
    ),
    "{} is no torch checkpoint or not whole ({}); download or copy it again": (
        "{}: torch 체크포인트가 아니거나 온전하지 않습니다({}). 다시 받거나 복사하세요"
    ),
    "{} is no voice file or not whole ({}); a voice is a .safetensors file made by moksori,"
    " never a pickle": (
        "{}: 목소리 파일이 아니거나 온전하지 않습니다({}). 목소리는 moksori가 만든 .safetensors"
        " 파일이며 pickle은 쓰지 않습니다"
    ),
    "{} is the source itself; choose another output": ("{}: 원본 파일입니다. 다른 곳에 저장하세요"),
    "{} is too large for a config; is it a checkpoint?": (
        "{}: 설정 파일치고는 너무 큽니다. 체크포인트가 아닌지 확인하세요"
    ),
    '{}, line {}: "{}" {}': '{} {}번째 줄: "{}" – {}',
    '{}: "{}" is not beside it; {}': '{}: 옆에 "{}" 파일이 없습니다. {}',
    "{}: a vocoder of {} Hz, hop {} and {} mel bins ({}), expected {} Hz, hop {} and {}, as the"
    " voice has them": (
        "{}: 보코더가 {} Hz, 홉 {}, 멜 {}칸입니다({}). 목소리와 같은 {} Hz, 홉 {}, 멜 {}칸이어야"
        " 합니다"
    ),
    "{}: cannot be read ({})": "{}: 읽을 수 없습니다({})",
    "{}: cannot be written ({})": "{}: 저장할 수 없습니다({})",
    "{}: cannot be written ({}); choose a folder you may write to": (
        "{}: 저장할 수 없습니다({}). 쓸 수 있는 폴더를 고르세요"
    ),
    "{}: cannot write {} at {} Hz ({}); try .wav, which takes any sample rate": (
        "{}: {} 형식은 {} Hz로 저장할 수 없습니다({}). 어떤 샘플레이트든 되는 .wav를 쓰세요"
    ),
    "{}: conv_pre.weight is missing; is it an NSF-HiFiGAN?": (
        "{}: conv_pre.weight가 없습니다. NSF-HiFiGAN이 맞는지 확인하세요"
    ),
    '{}: expected "{}", found {}; is it another kind of file?': (
        '{}: "{}"이(가) 있어야 하는데 {}이(가) 있습니다. 다른 종류의 파일인지 확인하세요'
    ),
    "{}: expected a file to write, got a folder": ("{}: 저장할 파일이어야 하는데 폴더입니다"),
    "{}: expected a generator (generator, state_dict.model_gen or generator.*); is it a vocoder?": (
        "{}: 생성기(generator, state_dict.model_gen, generator.*)가 없습니다. 보코더가 맞는지"
        " 확인하세요"
    ),
    "{}: expected a list, got {}": "{}: 목록이어야 하는데 {}입니다",
    "{}: expected a mono wave (T,), got shape {}": (
        "{}: 모노 파형 (T,)이어야 하는데 모양이 {}입니다"
    ),
    "{}: expected a table of settings, got {}": "{}: 설정 표여야 하는데 {}입니다",
    "{}: expected a table of settings; is it a config?": (
        "{}: 설정 표가 아닙니다. 설정 파일이 맞는지 확인하세요"
    ),
    '{}: expected a table of tensors at "{}"': '{}: "{}"에 텐서 표가 있어야 합니다',
    "{}: expected a table of weights, found {}; is it a checkpoint?": (
        "{}: 가중치 표가 있어야 하는데 {}이(가) 있습니다. 체크포인트가 맞는지 확인하세요"
    ),
    "{}: expected an audio file, got a folder": "{}: 오디오 파일이어야 하는데 폴더입니다",
    "{}: expected an output extension among {}; {}": (
        "{}: 저장할 파일의 확장자는 {} 가운데 하나여야 합니다({})"
    ),
    "{}: expected audio, but the file holds no samples": (
        "{}: 오디오 파일인데 소리가 들어 있지 않습니다"
    ),
    "{}: expected audio, but the file is empty (0 bytes)": (
        "{}: 오디오가 아니라 빈 파일입니다(0바이트)"
    ),
    "{}: expected feature_extractor.conv0.weight, found {}; expected the content encoder"
    " hubert_soft.pt (hubert-soft-0d54a1f4.pt of bshall/hubert, the file that diff-svc keeps in"
    " checkpoints/hubert); put it beside the checkpoint, or"
    " name it with --hubert": (
        "{}: feature_extractor.conv0.weight가 있어야 하는데 {}이(가) 있습니다. 내용 인코더"
        " hubert_soft.pt(bshall/hubert의 hubert-soft-0d54a1f4.pt, diff-svc의 checkpoints/hubert에"
        " 있는 파일)가 필요합니다. 체크포인트 옆에 두거나"
        " --hubert로 지정하세요"
    ),
    "{}: expected finite samples, but a sample at {} s is NaN or infinite; export the recording"
    " again": ("{}: {}초에 잘못된 값(NaN, 무한대)이 있습니다. 녹음을 다시 내보내세요"),
    "{}: expected model.denoise_fn.*, found {}; is it a diff-svc checkpoint?": (
        "{}: model.denoise_fn.*이 있어야 하는데 {}이(가) 있습니다. diff-svc 체크포인트가 맞는지"
        " 확인하세요"
    ),
    "{}: expected {} beside it, found neither; copy the vocoder's whole folder": (
        "{}: 옆에 {} 파일이 있어야 하는데 없습니다. 보코더 폴더를 통째로 복사하세요"
    ),
    "{}: expected {} s of audio, but the data ends or is damaged after {} s; copy or export the"
    " file again": (
        "{}: {}초 길이여야 하는데 {}초 뒤에 끊기거나 손상됐습니다. 파일을 다시 복사하거나"
        " 내보내세요"
    ),
    "{}: expected {}, got {}": "{}: {} 값이어야 하는데 {}입니다",
    "{}: its config cannot be read: {}": "{}: 설정을 읽을 수 없습니다: {}",
    "{}: model.k_step_max is {}: this model only finishes the mel of a second one, which cannot"
    " be imported; choose a voice trained for all steps": (
        "{}: model.k_step_max가 {}입니다. 다른 모델의 멜을 마무리하기만 하는 모델이라 가져올 수"
        " 없습니다. 모든 단계를 학습한 목소리를 고르세요"
    ),
    '{}: model.type is "{}", expected "Diffusion"; other types need the synthesiser of their own'
    " project in front": (
        '{}: model.type이 "Diffusion"이어야 하는데 "{}"입니다. 다른 종류는 그 프로젝트의 합성기가'
        " 앞에 있어야 합니다"
    ),
    "{}: no .pt in or below this folder; expected the content encoder hubert_soft.pt"
    " (hubert-soft-0d54a1f4.pt of bshall/hubert, the file that diff-svc keeps in"
    " checkpoints/hubert); put it beside the checkpoint, or"
    " name it with --hubert": (
        "{}: 이 폴더와 그 아래에 .pt 파일이 없습니다. 내용 인코더 hubert_soft.pt(bshall/hubert의"
        " hubert-soft-0d54a1f4.pt, diff-svc의 checkpoints/hubert에 있는 파일)가 필요합니다."
        " 체크포인트 옆에 두거나 --hubert로 지정하세요"
    ),
    "{}: no config.yaml beside it; diff-svc saves one in the voice's folder, put it"
    " there or name it with --config": (
        "{}: 옆에 config.yaml이 없습니다. diff-svc가 목소리 폴더에 저장한 것을 옆에 두거나"
        " --config로 지정하세요"
    ),
    "{}: no content encoder is beside it; {}": "{}: 옆에 내용 인코더가 없습니다. {}",
    "{}: no such file; check the path": "{}: 파일이 없습니다. 경로를 확인하세요",
    "{}: no such file; name the config with --config": (
        "{}: 파일이 없습니다. 설정 파일을 --config로 지정하세요"
    ),
    "{}: no vocoder weights in this folder; expected model or *.ckpt": (
        "{}: 이 폴더에 보코더 가중치(model 또는 *.ckpt)가 없습니다"
    ),
    "{}: not an audio file this program can read ({}); expected WAV, FLAC, OGG, Opus or MP3,"
    " whole and not renamed from something else": (
        "{}: 읽을 수 있는 오디오 파일이 아닙니다({}). 확장자만 바꾼 것이 아닌 온전한 WAV, FLAC,"
        " OGG, Opus, MP3 파일이어야 합니다"
    ),
    '{}: part of "{}" is a file, not a folder; choose another': (
        '{}: "{}" 경로 중간에 폴더가 아닌 파일이 있습니다. 다른 곳을 고르세요'
    ),
    "{}: proj.weight gives units of {}, but the voice's hidden_size is {}; it was trained with"
    " another encoder": (
        "{}: proj.weight의 유닛은 {}차원인데 목소리의 hidden_size는 {}입니다. 다른 인코더로 학습한"
        " 목소리입니다"
    ),
    "{}: refusing to write NaN or infinite samples": (
        "{}: 잘못된 값(NaN, 무한대)은 저장하지 않습니다"
    ),
    "{}: state_dict holds no model.*; is it a pitch extractor?": (
        "{}: state_dict에 model.*이 없습니다. 음높이 추출기가 맞는지 확인하세요"
    ),
    '{}: the folder "{}" does not exist; make it first': (
        '{}: "{}" 폴더가 없습니다. 먼저 만드세요'
    ),
    "{}: the file is cut short: its header announces {} bytes more than there are; copy or"
    " export it again": (
        "{}: 파일이 중간에 잘렸습니다. 헤더보다 {}바이트 모자랍니다. 다시 복사하거나 내보내세요"
    ),
    "{}: the file is read-only; choose another name": (
        "{}: 읽기 전용 파일입니다. 다른 이름을 고르세요"
    ),
    "{}: the folder cannot be made ({}); choose another place": (
        "{}: 폴더를 만들 수 없습니다({}). 다른 곳을 고르세요"
    ),
    "{}: unknown setting {}; known: {}": "{}: {} 설정을 모릅니다. 아는 설정: {}",
    '{}: vocoder is "{}"; known: NsfHifiGAN, HifiGAN, PWG': (
        '{}: 보코더가 "{}"입니다. 아는 것: NsfHifiGAN, HifiGAN, PWG'
    ),
    "{}: weight {} is cut; export the voice again": (
        "{}: 가중치 {}이(가) 잘렸습니다. 목소리를 다시 내보내세요"
    ),
    "{}: weight {} is not finite; the training failed": (
        "{}: 가중치 {}에 잘못된 값이 있습니다. 학습에 실패한 목소리입니다"
    ),
    "{}: weight {} should be of {}, its header says {}; export the voice again": (
        "{}: 가중치 {}은(는) {}이어야 하는데 헤더에는 {}입니다. 목소리를 다시 내보내세요"
    ),
    "{}: weight {} should have shape {}, has {}; export the voice again": (
        "{}: 가중치 {}의 모양이 {}이어야 하는데 {}입니다. 목소리를 다시 내보내세요"
    ),
    "{}: writing stopped ({}); is the disk full?": (
        "{}: 저장하다가 멈췄습니다({}). 디스크가 가득 찼는지 확인하세요"
    ),
    "{}: {} gives units of {}, but the voice hears {}; it was trained with another encoder": (
        "{}: {}의 유닛은 {}차원인데 목소리는 {}차원입니다. 다른 인코더로 학습한 목소리입니다"
    ),
    "{}: {} holds numbers that are not finite; the training failed, take an earlier checkpoint": (
        "{}: {}에 잘못된 값(NaN, 무한대)이 있습니다. 학습이 실패했으니 이전 체크포인트를 쓰세요"
    ),
    '{}: {} is "{}", expected "{}"; no public voice has another': (
        '{}: {} 값이 "{}"입니다. "{}"이어야 하며, 공개된 목소리는 모두 그렇습니다'
    ),
    "{}: {} is {}, but the checkpoint has {}; this config is of another model": (
        "{}: {} 값이 {}인데 체크포인트에는 {}입니다. 다른 모델의 설정 파일입니다"
    ),
    "{}: {} is {}, but the checkpoint's denoiser has {}; this config is of another model": (
        "{}: {} 값이 {}인데 체크포인트의 디노이저는 {}입니다. 다른 모델의 설정 파일입니다"
    ),
    "{}: {} should be a list of numbers, got {}": ("{}: {} 값은 숫자 목록이어야 하는데 {}입니다"),
    "{}: {} should be a {}, like {}; got {}": ("{0}: {1} 값은 {3}처럼 {2}이어야 하는데 {4}입니다"),
}

CORE_PARTS: dict[str, str] = {
    "cannot be read: {}": "읽을 수 없습니다: {}",
    "content encoder": "내용 인코더",
    "denoising network": "디노이저",
    "does not belong to what stands above it": "위의 내용과 이어지지 않습니다",
    "expected the content encoder hubert_soft.pt (hubert-soft-0d54a1f4.pt of bshall/hubert, the"
    " file that diff-svc keeps in checkpoints/hubert); put it beside the checkpoint, or"
    " name it with --hubert": (
        "내용 인코더 hubert_soft.pt(bshall/hubert의 hubert-soft-0d54a1f4.pt, diff-svc의"
        " checkpoints/hubert에 있는 파일)가 필요합니다. 체크포인트 옆에 두거나"
        " --hubert로 지정하세요"
    ),
    "f0 estimator": "음높이 추정기",
    "get moksori again: a voice file of the package is missing or damaged": (
        "moksori를 다시 받으세요. 딸린 목소리 파일이 없거나 손상됐습니다"
    ),
    "got none": "지금은 확장자가 없습니다",
    'got "{}"': '지금은 "{}"입니다',
    "holds a table without `key: value`": "`키: 값`이 없는 표가 들어 있습니다",
    'has "{}" after its closing bracket': '닫는 괄호 뒤에 "{}"이(가) 있습니다',
    "is indented by a tab; YAML wants spaces": "탭으로 들여 썼습니다. YAML은 빈칸을 씁니다",
    "is no `key: value`": "`키: 값` 형식이 아닙니다",
    "kind of speech encoder": "음성 인코더 종류",
    "live sound": "실시간 소리",
    "mend the packages above": "위의 패키지부터 고치세요",
    "no embedded voice": "내장 목소리가 없습니다",
    "none; the embedded voice needs none": "없음. 내장 목소리에는 필요 없습니다",
    "not installed": "설치되지 않음",
    "not installed; optional: {}": "설치되지 않음(선택): {}",
    "opens a bracket that is never closed": "연 괄호를 닫지 않았습니다",
    "pitch by DIO or Harvest; needs a C++ compiler on Linux": (
        "DIO, Harvest로 음높이 찾기. Linux에서는 C++ 컴파일러가 필요합니다"
    ),
    "pitch by SwiftF0": "SwiftF0로 음높이 찾기",
    "plug in a microphone or start the sound server; files work without": (
        "마이크를 꽂거나 사운드 서버를 켜세요. 파일 변환은 없어도 됩니다"
    ),
    "resampler quality": "리샘플러 품질",
    "sampler": "샘플러",
    "sampler of imported voices": "가져온 목소리의 샘플러",
    "torch does not load: {}": "torch를 불러올 수 없습니다: {}",
    "unit encoder": "유닛 인코더",
    "vocoder": "보코더",
    "{} (embedded, readable)": "{} (내장, 정상)",
    "{} for files, 1 live, of {} cores": "파일에 {}, 실시간에 1, 코어 {}개",
    "{} to hear with, {} to speak through": "입력 장치 {}개, 출력 장치 {}개",
}
