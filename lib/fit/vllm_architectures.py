"""The model architectures that vLLM 0.33.0 knows, as its registry lists them.

Source: vllm/model_executor/models/registry.py of the 0.33.0 source distribution, the tables
_TEXT_GENERATION_MODELS, _MULTIMODAL_MODELS, _TRANSFORMERS_SUPPORTED_MODELS (what writes text),
_EMBEDDING_MODELS and its like (what does not), _SPECULATIVE_DECODING_MODELS (what only drafts),
_PREVIOUSLY_SUPPORTED_MODELS and _OOT_SUPPORTED_MODELS (what it no longer has). For the last two
tables: transformers 5.19, which has no class of that name, and _CONFIG_REGISTRY of vLLM's
transformers_utils/config.py.
"""

_WRITES_TEXT = """
    AfmoeForCausalLM AliceAIForCausalLM Alpamayo2Super ApertusForCausalLM ArceeForCausalLM
    AriaForConditionalGeneration AudioFlamingo3ForConditionalGeneration AXK1ForCausalLM
    BagelForConditionalGeneration BailingMoeForCausalLM BailingMoeV2_5ForCausalLM
    BailingMoeV2ForCausalLM BailingMoeV3ForCausalLM BailingMoeV3VLForConditionalGeneration
    BeamForCausalLM BeeForConditionalGeneration Blip2ForConditionalGeneration BloomForCausalLM
    ChatGLMForConditionalGeneration ChatGLMModel Cohere2ForCausalLM Cohere2MoeForCausalLM
    Cohere2VisionForConditionalGeneration CohereCompassForConditionalGeneration
    CohereForCausalLM Cosmos3EdgeForConditionalGeneration Cosmos3ForConditionalGeneration
    CwmForCausalLM DbrxForCausalLM DeciLMForCausalLM DeepseekForCausalLM DeepseekOCR2ForCausalLM
    DeepseekOCRForCausalLM DeepseekV2ForCausalLM DeepseekV32ForCausalLM DeepseekV3ForCausalLM
    DeepseekV41ForCausalLM DeepseekV4ForCausalLM DeepseekV4ForConditionalGeneration
    DeepseekVLV2ForCausalLM DiffusionGemmaForBlockDiffusion DomynEdgeForCausalLM DoryForCausalLM
    Dots3NoteForCausalLM DotsOCRForCausalLM Eagle2_5_VLForConditionalGeneration
    Emu3ForConditionalGeneration Ernie4_5_MoeForCausalLM Ernie4_5_VLMoeForConditionalGeneration
    Ernie4_5ForCausalLM Exaone4_5_ForConditionalGeneration Exaone4ForCausalLM ExaoneForCausalLM
    ExaoneMoEForCausalLM ExaoneMoeForCausalLM FalconForCausalLM FalconH1ForCausalLM
    FalconMambaForCausalLM FlexOlmoForCausalLM FlintForCausalLM
    FunAudioChatForConditionalGeneration Gemma2ForCausalLM Gemma3ForCausalLM
    Gemma3ForConditionalGeneration Gemma3nForCausalLM Gemma3nForConditionalGeneration
    Gemma4ForCausalLM Gemma4ForConditionalGeneration Gemma4UnifiedForConditionalGeneration
    GemmaForCausalLM Glm4ForCausalLM Glm4MoeForCausalLM Glm4MoeLiteForCausalLM GLM4VForCausalLM
    Glm4vForConditionalGeneration Glm4vMoeForConditionalGeneration Glm5NextForCausalLM
    Glm5NextForConditionalGeneration GlmForCausalLM GlmMoeDsaForCausalLM
    GlmOcrForConditionalGeneration GPT2LMHeadModel GPTBigCodeForCausalLM GPTJForCausalLM
    GPTNeoXForCausalLM GptOssForCausalLM Granite4VisionForConditionalGeneration
    GraniteForCausalLM GraniteMoeForCausalLM GraniteMoeHybridForCausalLM
    GraniteMoeSharedForCausalLM GraniteMoeSWAForCausalLM GraniteSpeechForConditionalGeneration
    GraniteSpeechPlusForConditionalGeneration GraniteSWAForCausalLM H2OVLChatModel
    HCXVisionV2ForCausalLM HfMoondream HrmTextForCausalLM HunYuanDenseV1ForCausalLM
    HunYuanMoEV1ForCausalLM HunYuanVLForConditionalGeneration HyperCLOVAXForCausalLM
    HYV3ForCausalLM HYV4ForCausalLM Idefics3ForConditionalGeneration InklingForCausalLM
    InklingForConditionalGeneration InternLM2ForCausalLM InternLM3ForCausalLM
    InternS1ForConditionalGeneration InternS1ProForConditionalGeneration
    InternS2MobiusForConditionalGeneration InternS2PreviewForConditionalGeneration
    InternVLChatModel InternVLForConditionalGeneration IQuestCoderForCausalLM
    IQuestLoopCoderForCausalLM IsaacForConditionalGeneration Jais2ForCausalLM JambaForCausalLM
    K2HorizonForCausalLM KananaVForConditionalGeneration KeyeForConditionalGeneration
    KeyeVL1_5ForConditionalGeneration KimiK25ForConditionalGeneration
    KimiK3ForConditionalGeneration KimiLinearForCausalLM KimiVLForConditionalGeneration
    Kolibri1ForCausalLM LagunaForCausalLM Lfm2ForCausalLM Lfm2MoeForCausalLM
    Lfm2VlForConditionalGeneration LightOnOCRForConditionalGeneration Llama4ForCausalLM
    Llama4ForConditionalGeneration Llama_Nemotron_Nano_VL LLaMAForCausalLM LlamaForCausalLM
    LlavaForConditionalGeneration LlavaNextForConditionalGeneration
    LlavaNextVideoForConditionalGeneration LlavaOnevision2ForConditionalGeneration
    LlavaOnevisionForConditionalGeneration LongcatFlashForCausalLM LongcatFlashNgramForCausalLM
    Mamba2ForCausalLM MambaForCausalLM MellumForCausalLM MiDashengLMModel MiMoForCausalLM
    MiMoV2FlashForCausalLM MiMoV2ForCausalLM MiMoV2OmniForCausalLM MiniCPM3ForCausalLM
    MiniCPMForCausalLM MiniCPMO MiniCPMOcrForConditionalGeneration MiniCPMV
    MiniCPMV4_6ForConditionalGeneration MiniCPMV4_7ForConditionalGeneration MiniMaxM2ForCausalLM
    MiniMaxM3SparseForCausalLM MiniMaxM3SparseForConditionalGeneration Ministral3ForCausalLM
    Mistral3ForConditionalGeneration MistralForCausalLM MistralLarge3ForCausalLM
    MixtralForCausalLM Molmo2ForConditionalGeneration MolmoForCausalLM Moondream3ForCausalLM
    MoonshotKimiaForCausalLM MossAudioModel MuseGlimmerForCausalLM
    MuseGlimmerForConditionalGeneration MuseSparkForConditionalGeneration NanbeigeForCausalLM
    NemotronForCausalLM NemotronH_Nano_Omni_Reasoning_V3 NemotronH_Nano_VL_V2
    NemotronH_Omni_Reasoning_V3 NemotronH_Super_Omni_Reasoning_V3 NemotronHForCausalLM
    NemotronHPuzzleForCausalLM NVLM_D Olmo2ForCausalLM Olmo3ForCausalLM OlmoeForCausalLM
    OlmoForCausalLM OlmoHybridForCausalLM OpenCUAForConditionalGeneration
    OpenPanguVLForConditionalGeneration OPTForCausalLM OrionForCausalLM Ovis Ovis2_5
    Ovis2_6_MoeForCausalLM Ovis2_6ForCausalLM PaddleOCRVLForConditionalGeneration
    PaliGemmaForConditionalGeneration PanguEmbeddedForCausalLM PanguProMoEV2ForCausalLM
    PanguUltraMoEForCausalLM Param2MoEForCausalLM Phi3ForCausalLM Phi3VForCausalLM
    Phi4ForCausalLMV Phi4MMForCausalLM PhiForCausalLM PhiMoEForCausalLM
    PixtralForConditionalGeneration Plamo3ForCausalLM QianfanOCRForConditionalGeneration
    Qwen2_5_VLForConditionalGeneration Qwen2_5OmniForConditionalGeneration Qwen2_5OmniModel
    Qwen2AudioForConditionalGeneration Qwen2ForCausalLM Qwen2MoeForCausalLM
    Qwen2VLForConditionalGeneration Qwen3_5ForCausalLM Qwen3_5ForConditionalGeneration
    Qwen3_5MoeForCausalLM Qwen3_5MoeForConditionalGeneration Qwen3ForCausalLM
    Qwen3MoeForCausalLM Qwen3NextForCausalLM Qwen3OmniMoeForConditionalGeneration
    Qwen3VLForConditionalGeneration Qwen3VLMoeForConditionalGeneration Qwen4ExpForCausalLM
    Qwen4ExpForConditionalGeneration RForConditionalGeneration Rnj1ForCausalLM
    SarvamMLAForCausalLM SarvamMoEForCausalLM SeedOssForCausalLM SkyworkR1VChatModel
    SmolLM3ForCausalLM SmolVLMForConditionalGeneration SolarForCausalLM StableLmForCausalLM
    Starcoder2ForCausalLM Step1ForCausalLM Step3p5ForCausalLM Step3p7ForConditionalGeneration
    Step3TextForCausalLM Step3VLForConditionalGeneration Step5ForCausalLM
    Step5ForConditionalGeneration StepVLForConditionalGeneration TeleChat2ForCausalLM
    TeleChat3ForCausalLM TeleFLMForCausalLM UltravoxModel UnlimitedOCRForCausalLM
    VaultGemmaForCausalLM VoxtralForConditionalGeneration Zamba2ForCausalLM
"""
WRITES_TEXT = frozenset(_WRITES_TEXT.split())

_TRANSCRIBES = """
    CohereAsrForConditionalGeneration FireRedASR2ForConditionalGeneration
    FunASRForConditionalGeneration GlmAsrForConditionalGeneration
    MossTranscribeDiarizeForConditionalGeneration NemotronParseForConditionalGeneration
    OpenVLAForActionPrediction Qwen3ASRForConditionalGeneration Qwen3ASRRealtimeGeneration
    RadioMBartPrefixForCausalLM VibeVoiceAsrForConditionalGeneration VoxtralRealtimeGeneration
    WhisperForConditionalGeneration
"""
TRANSCRIBES = frozenset(_TRANSCRIBES.split())  # speech, scans or movements: no conversation

_MEASURES = """
    BertForMaskedLM BertForSequenceClassification BertForTokenClassification BertModel
    BertSpladeSparseEmbeddingModel BgeM3EmbeddingModel ClefFlashForJointSchema
    ClefOmniForJointSchema CLIPModel ColBERTJinaRobertaModel ColBERTLfm2Model
    ColBERTModernBertModel ColModernVBertForRetrieval ColPaliForRetrieval ColQwen3 ColQwen3_5
    ColUltraVBertForRetrieval D3ForSequenceClassification DeepseekV3BidirectionalModel
    EmbeddingGemma2Model Gemma2Model Gemma3TextModel GPT2ForSequenceClassification GteModel
    GteNewForSequenceClassification GteNewModel HF_ColBERT InternLM2ForRewardModel
    JambaForSequenceClassification JinaEmbeddingsV5Model JinaForRanking JinaVLForRanking
    Lfm2BidirectionalModel LlamaBidirectionalForSequenceClassification LlamaBidirectionalModel
    LlamaModel LlamaNemotronVLForSequenceClassification LlamaNemotronVLModel MistralModel
    ModernBertForSequenceClassification ModernBertForTokenClassification ModernBertModel
    ModernVBertModel NomicBertModel OpenAIPrivacyFilterForTokenClassification OpsColQwen3Model
    Qwen2ForProcessRewardModel Qwen2ForRewardModel Qwen2Model
    Qwen3ASRForcedAlignerForTokenClassification Qwen3VLNemotronEmbedModel RobertaForMaskedLM
    RobertaForSequenceClassification RobertaForTokenClassification RobertaModel SiglipModel
    Terratorch VoyageQwen3BidirectionalEmbedModel XLMRobertaForSequenceClassification
    XLMRobertaForTokenClassification XLMRobertaModel
"""
MEASURES = frozenset(_MEASURES.split())  # embeddings, rankings, classes

_DRAFTS = """
    BailingMoeV25MTPModel BailingMoeV3MTPModel DeepSeekMTPModel DeepseekV32MTPModel
    DeepSeekV4MTPModel DFlash2BeamDraftModel DFlash2DraftModel DFlashDraftModel
    DFlashLagunaForCausalLM DFlashMuseGlimmerAssistantModel DFlashQwen3XPressModel
    Dots3NoteMTPModel DSparkDraftModel DSparkV41DraftModel Eagle3DeepseekV2ForCausalLM
    Eagle3DeepseekV3ForCausalLM Eagle3LlamaForCausalLM Eagle3MiniMaxM2ForCausalLM
    Eagle3Qwen2_5vlForCausalLM Eagle3Qwen3ForCausalLM Eagle3Qwen3vlForCausalLM
    EagleCohereForCausalLM EagleDeepSeekMTPModel EagleLlama4ForCausalLM EagleLlamaForCausalLM
    EagleMiniCPMForCausalLM EagleMistralForCausalLM EagleMistralLarge3ForCausalLM ErnieMTPModel
    Exaone4_5_MTP ExaoneMoeMTP ExtractHiddenStatesModel Gemma4DSparkModel Gemma4MTPModel
    Glm4MoeLiteMTPModel Glm4MoeMTPModel Glm5NextMTPModel GlmOcrMTPModel HYV3MTPModel
    HYV4MTPModel InklingMTPModel InternS2MobiusMTP K3DSparkModel KimiK3MTPModel
    LiLiCorrDraftModel LlamaForCausalLMEagle3 LongCatFlashMTPModel MiMoMTPModel MiMoV2MTPModel
    MiMoV2OmniMTPModel MiniMaxM3MTP MuseGlimmerAssistantModel MuseSparkDSparkModel
    NemotronHMTPModel OpenPanguMTPModel ParseAuxMTPModel PEagleDraftModel PeagleLlamaForCausalLM
    PeagleQwen3ForCausalLM Qwen3_5MoeMTP Qwen3_5MTP Qwen3DSparkModel Qwen3NextMTP
    Qwen3OmniDSparkModel Qwen3XPressModel Qwen4ExpMTP Step3p5MTP Step5MTP
"""
DRAFTS = frozenset(_DRAFTS.split())  # only beside another model

_PLUGIN_ONLY = """
    BartForConditionalGeneration BartModel Florence2ForConditionalGeneration
    MBartForConditionalGeneration Nemotron3_5AsrForRNNT
"""
PLUGIN_ONLY = frozenset(_PLUGIN_ONLY.split())  # taken out of vLLM into a plugin

_LAST_VERSIONS = {
    "0.10.2": """
        MotifForCausalLM Phi4FlashForCausalLM DonutForConditionalGeneration
        MllamaForConditionalGeneration
    """,
    "0.12.0": "Phi4MultimodalForCausalLM",
    "0.22.0": "JAISLMHeadModel",
    "0.23.0": """
        ErnieModel ErnieForSequenceClassification ErnieForTokenClassification
        InternLM2VEForCausalLM QWenLMHeadModel QwenVLForConditionalGeneration
        InternLMForCausalLM XverseForCausalLM Dots1ForCausalLM BambaForCausalLM
        MiniMaxForCausalLM MiniMaxText01ForCausalLM MiniMaxM1ForCausalLM
        MiniMaxVL01ForConditionalGeneration BaiChuanForCausalLM BaichuanForCausalLM
        Tarsier2ForConditionalGeneration
    """,
    "0.24.0": """
        AquilaModel AquilaForCausalLM Grok1ModelForCausalLM Grok1ForCausalLM
        TarsierForConditionalGeneration MantisForConditionalGeneration
        MusicFlamingoForConditionalGeneration AyaVisionForConditionalGeneration
    """,
    "0.25.0": "TeleChatForCausalLM PersimmonForCausalLM FuyuForCausalLM",
    "0.26.0": "Plamo2ForCausalLM OuroForCausalLM",
    "0.28.0": """
        ArcticForCausalLM ChameleonForConditionalGeneration Cheers
        CheersForConditionalGeneration Fairseq2LlamaForCausalLM
        FireRedLIDForConditionalGeneration GritLM HCXVisionForCausalLM MPTForCausalLM
        MptForCausalLM RWForCausalLM StableLMEpochForCausalLM PrithviGeoSpatialMAE
    """,
    "0.9.2": "Phi3SmallForCausalLM",
}
LAST_VERSION = {  # that still had it
    name: version for version, names in _LAST_VERSIONS.items() for name in names.split()
}

_NOT_IN_TRANSFORMERS = """
    AliceAIForCausalLM Alpamayo2Super BagelForConditionalGeneration BailingMoeForCausalLM
    BailingMoeV2_5ForCausalLM BailingMoeV2ForCausalLM BailingMoeV3ForCausalLM
    BailingMoeV3VLForConditionalGeneration BeamForCausalLM BeeForConditionalGeneration
    ChatGLMForConditionalGeneration ChatGLMModel DeciLMForCausalLM DeepseekForCausalLM
    DeepseekOCR2ForCausalLM DeepseekOCRForCausalLM DeepseekV41ForCausalLM
    DeepseekVLV2ForCausalLM DomynEdgeForCausalLM DoryForCausalLM Dots3NoteForCausalLM
    DotsOCRForCausalLM Eagle2_5_VLForConditionalGeneration ExaoneForCausalLM
    ExaoneMoEForCausalLM FlintForCausalLM FunAudioChatForConditionalGeneration GLM4VForCausalLM
    H2OVLChatModel HCXVisionV2ForCausalLM HfMoondream InternLM2ForCausalLM InternLM3ForCausalLM
    InternS1ForConditionalGeneration InternS1ProForConditionalGeneration
    InternS2MobiusForConditionalGeneration InternS2PreviewForConditionalGeneration
    InternVLChatModel IQuestCoderForCausalLM IQuestLoopCoderForCausalLM
    IsaacForConditionalGeneration K2HorizonForCausalLM KananaVForConditionalGeneration
    KeyeForConditionalGeneration KeyeVL1_5ForConditionalGeneration
    KimiK25ForConditionalGeneration KimiK3ForConditionalGeneration
    KimiVLForConditionalGeneration Llama_Nemotron_Nano_VL
    LlavaOnevision2ForConditionalGeneration MiDashengLMModel MiMoForCausalLM MiMoV2ForCausalLM
    MiMoV2OmniForCausalLM MiniCPMForCausalLM MiniCPMO MiniCPMOcrForConditionalGeneration
    MiniCPMV MiniMaxM3SparseForCausalLM Molmo2ForConditionalGeneration MolmoForCausalLM
    Moondream3ForCausalLM MoonshotKimiaForCausalLM MossAudioModel MuseGlimmerForCausalLM
    MuseSparkForConditionalGeneration NanbeigeForCausalLM NemotronH_Nano_Omni_Reasoning_V3
    NemotronH_Nano_VL_V2 NemotronH_Super_Omni_Reasoning_V3 NemotronHPuzzleForCausalLM NVLM_D
    OpenCUAForConditionalGeneration OpenPanguVLForConditionalGeneration OrionForCausalLM Ovis
    Ovis2_5 Ovis2_6_MoeForCausalLM Ovis2_6ForCausalLM PanguEmbeddedForCausalLM
    PanguProMoEV2ForCausalLM PanguUltraMoEForCausalLM Param2MoEForCausalLM Phi3VForCausalLM
    Phi4ForCausalLMV Phi4MMForCausalLM PhiMoEForCausalLM Plamo3ForCausalLM
    RForConditionalGeneration SarvamMLAForCausalLM SarvamMoEForCausalLM SkyworkR1VChatModel
    SolarForCausalLM Step1ForCausalLM Step3p5ForCausalLM Step3TextForCausalLM
    Step3VLForConditionalGeneration Step5ForCausalLM Step5ForConditionalGeneration
    StepVLForConditionalGeneration TeleChat2ForCausalLM TeleChat3ForCausalLM TeleFLMForCausalLM
    UltravoxModel UnlimitedOCRForCausalLM
"""
NOT_IN_TRANSFORMERS = frozenset(_NOT_IN_TRANSFORMERS.split())  # that vLLM has a model for

_DESCRIBED = """
    alpamayo2_super bagel bailing_moe_v3_vl beam chatglm deepseek_ocr2 deepseek_v2 deepseek_v3
    deepseek_v32 deepseek_v41 deepseek_vl_v2 dory dots3_note exaone_moe flint funaudiochat hy_v4
    hyperclovax inkling_mm_model inkling_model isaac kimi_k2 kimi_k25 kimi_k3 kimi_linear
    kimi_vl llama longcat_flash midashenglm minimax_m3_vl mistral moondream3
    moss_transcribe_diarize muse_spark nemotron_h openvla ovis phimoe qwen3_asr RefinedWeb
    RefinedWebModel step3_text step3_vl step3p5 step5 step5_vl ultravox unlimited-ocr
    unlimited_ocr
"""
DESCRIBED = frozenset(_DESCRIBED.split())  # model types among those whose config.json vLLM reads
