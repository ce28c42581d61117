# Functions and classes: a cleaner of the author with fit and transform, everything called from main().

# %% [markdown]
# # Employee attrition, refactored

# %%
import pandas as pd
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

# %%
PATH = 'HR_comma_sep.csv'
SEED = 42
TARGET = 'left'

# %%
def load_data(path):
    """Read and drop duplicates."""
    df = pd.read_csv(path)
    df = df.drop_duplicates()
    df.columns = [c.lower().replace(' ', '_') for c in df.columns]
    return df

# %%
class HRPreprocessor(BaseEstimator, TransformerMixin):
    """Ordinal salary, frequency of the department, clipped hours."""

    def __init__(self, clip=0.95):
        self.clip = clip

    def fit(self, X, y=None):
        self.hours_max_ = X['average_montly_hours'].quantile(self.clip)
        self.freq_ = X['department'].value_counts(normalize=True)
        return self

    def transform(self, X):
        X = X.copy()
        X['salary'] = X['salary'].map({'low': 0, 'medium': 1, 'high': 2})
        X['department'] = X['department'].map(self.freq_)
        X['average_montly_hours'] = X['average_montly_hours'].clip(upper=self.hours_max_)
        return X

# %%
def add_features(df):
    df = df.copy()
    df['hours_per_project'] = df['average_montly_hours'] / df['number_project']
    return df

# %%
def split(df):
    X = df.drop(TARGET, axis=1)
    y = df[TARGET]
    return train_test_split(X, y, test_size=0.25, random_state=SEED, stratify=y)

# %%
def evaluate(model, X, y):
    pred = model.predict(X)
    result = {'accuracy': accuracy_score(y, pred), 'auc': roc_auc_score(y, model.predict_proba(X)[:, 1])}
    for key, value in result.items():
        print(f'{key:>10}: {value:.3f}')
    return result

# %%
df = load_data(PATH)
print(df.shape)
df.head()

# %%
df = add_features(df)
X_train, X_test, y_train, y_test = split(df)

# %%
prep = HRPreprocessor()
X_train_p = prep.fit_transform(X_train)
X_test_p = prep.transform(X_test)
X_test_p.head()

# %%
model = RandomForestClassifier(n_estimators=50, random_state=SEED)
model.fit(X_train_p, y_train)
evaluate(model, X_test_p, y_test)
