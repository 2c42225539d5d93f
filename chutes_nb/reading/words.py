"""The words by which a number is known to be progress, or a metric, or neither."""

from __future__ import annotations

import re

from .patterns import late


def alternatives(words: str) -> str:
    """Join a blank-separated list into a regular expression's alternatives."""
    return "|".join(words.split())


def listed(words: str) -> frozenset[str]:
    """Make a set of a blank-separated list."""
    return frozenset(words.split())


# Counted things; "Epoch 3/10" and "10/200 items" are progress by them alone.
UNITS = (
    r"(?:"
    + alternatives(
        "epochs? steps? iters? iterations? batch(?:es)? stages? phases? folds? rounds?"
        " trials? tasks? files? images? items? chunks? parts? pages? rows? records?"
        " samples? jobs? frames? episodes? runs? pass(?:es)? generations? shards?"
        " blocks? videos? documents? docs? examples? entry entries lines? messages?"
        " urls? requests? quer(?:y|ies) tokens? questions? prompts? slices? tiles?"
        " scenes? clips? songs? users? points? candidates? models? objects?"
        " packages? modules? patients? events? days? games? tables? cells? sequences?"
        " words? bytes? [kKMGT]i?B elements? units? its? articles? books? photos?"
        " pictures? datasets? sections? chapters? commits? keys? emails? splits?"
        " loops? combinations? configs? experiments? customers? orders?"
        " products? stations? genes? molecules? cities countries partitions?"
    )
    + r")"
)

# A line that names one of these opens a section, which bars then fill.
SECTIONS = listed("epoch step stage phase fold round part task episode trial run pass")

VERBS = (
    r"(?:(?:"
    + alternatives(
        "process complet finish download upload load sav pars convert comput cop[yi]"
        " train evaluat test validat read writ extract index embed encod decod render"
        " generat fetch scan crawl scrap pull push install build compil import export"
        " transform clean resiz fitt simulat analy[sz] inferr? predict tokeniz mapp"
        " merg sort solv runn handl transferr? receiv resolv unpack verif[yi] check"
        " sync mov delet creat translat transcrib annotat hash compress filter"
        " optimi[sz] iterat count prepar updat insert migrat backfill calculat"
        " tun shuffl augment classif[yi] cluster collect"
    )
    + r")(?:e?d|ing|e)|read|wrote|built|sent|ran|did|done|fit|work(?:ing|ed))"
)

# "3/10 correct" is a ratio, "attempt 2/3" a try, "rank 0/8" a place: not progress.
RATIOS = late(
    r"(?i)(?<![a-z])(?:"
    + alternatives(
        "pass(?:ed|ing) fail\\w* correct\\w* incorrect wrong accura\\w+ acc scor\\w+"
        " match\\w* accept\\w* reject\\w* used using usage util\\w* free avail\\w*"
        " skipp\\w* errors? valid invalid wins? won lost loss\\w* attempts? retr\\w+"
        " tr(?:y|ies) ranks? workers? gpus? cpus? cores? nodes? replicas? threads?"
        " precision recall coverage confidence probab\\w+ rat(?:e|io|ing|ed)s? stars?"
        " odds chance dropout threshold quantile percentile memory mem ram disk"
        " battery full votes? healthy ready missing remaining left version\\w*"
        " warn\\w* bugs? alive agree\\w* positive negative hits? discount off"
        " more less fewer faster slower larger smaller higher lower better worse"
        " increase decrease reduc\\w+ improv\\w+ growth cups? tests cv [kmg]?bps"
    )
    + r")(?![a-z])"
)

DONE = (
    r"(?:done|completed?|finished|processed|downloaded|uploaded|loaded|trained"
    r"|written|copied|converted|saved|built|parsed)"
)

# A log line's own front: time, level, logger ("INFO:root:", "t - app - INFO - ").
_LEVEL = r"[\[(<]?\b(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)\b[\])>]?"
LOG_PREFIX = late(
    r"\s*(?:[\[(]?(?:\d{4}-\d\d-\d\d[T ]?)?(?:\d\d:\d\d(?::\d\d)?[\d.,+Z-]*)?[\])]?"
    r"(?<=[\d\])Z])[\s:|-]+)?"
    rf"(?:(?:[\w.]+\s*[-:|]\s*)?{_LEVEL}(?::[\w.]+:|[\s:|-]+\[[\w.]+\])?[\s:|-]*)?",
    re.ASCII,
)

# Metric names, by their parts. A core name may have a whole number as its value.
CORE = listed(
    "loss losses acc accuracy ppl perplexity lr learningrate reward logloss mlogloss"
    " rmse mse mae auc f1 bleu wer cer"
)
METRICS = CORE | listed(
    "precision recall auroc auprc roc rmsle mape smape r2 r1 map iou miou dice jaccard"
    " l1 l2 merror error err score kappa mcc ndcg mrr rouge rouge1 rougel meteor chrf"
    " psnr ssim lpips fid kl entropy crossentropy nll elbo bce ce hinge huber norm"
    " cost objective inertia fitness return returns epsilon momentum temperature"
    " gini aucpr top1 acc@1 acc@5 recall@1 silhouette likelihood loglik variance"
    " residual penalty regret sharpe energy advantage gnorm"
)
# Numbers beside a metric which are none themselves.
NEVER = listed(
    "time times eta elapsed duration sec secs second seconds ms min minutes hour hours"
    " runtime port line pid size version ver code status id seed host date total count"
    " num epoch epochs step steps iter iters iteration iterations batch batches global"
    " memory mem rss vram gpu cpu device rank worker workers layers exit remaining"
    " throughput speed fps start end took latency v_num column col row char uid"
    " gid year month day page py python torch cuda patience max limit data timeout"
    " http https localhost level progress params parameters samples tokens bytes"
)
QUALIFIERS = (
    r"(?:"
    + alternatives(
        "train(?:ing)? val valid(?:ation)? test(?:ing)? eval(?:uation)? avg average"
        " mean running batch total final best current learning gradient grad macro"
        " micro weighted episode policy value generator discriminator dev min max"
        " F\\d roc ROC R\\d top-\\d reconstruction smooth smoothed explained ewa ema"
    )
    + r")"
)
